"""From energy to carbon dioxide: when it was drawn, and from which grid.

Energy is taken to be drawn evenly from the start to the end of a step, so that what it emits is
the energy times the mean of the grid's intensity over that time.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from topologies.carbon import CarbonIntensity

FloatArray = npt.NDArray[np.float64]

J_PER_KWH = 3.6e6


def mean_g_per_kwh(grid: CarbonIntensity, start_s: FloatArray, end_s: FloatArray) -> FloatArray:
    """Return the time average of the intensity over each span, or its value where that is none."""
    length_s = end_s - start_s
    some = length_s > 0
    total = _integral(grid, end_s) - _integral(grid, start_s)
    return np.where(some, total / np.where(some, length_s, 1.0), _values(grid, start_s))


def emitted_g(
    grids: Sequence[tuple[tuple[CarbonIntensity, float], ...]],
    kinds: npt.NDArray[np.int64],
    factor: FloatArray,
    start_s: FloatArray,
    end_s: FloatArray,
) -> FloatArray:
    """Return the grams that each of many steps emitted.

    ``grids`` gives for each kind of step what it draws from which grid, in watts or joules;
    ``kinds`` is each step's place in it and ``factor`` the seconds or the share that it drew.
    """
    grams = np.zeros(len(kinds))
    parts: dict[CarbonIntensity, tuple[list[int], list[float]]] = {}
    for kind, spent in enumerate(grids):
        for grid, amount in spent:
            found = parts.setdefault(grid, ([], []))
            found[0].append(kind)
            found[1].append(amount)
    for grid, (drawing, amounts) in parts.items():
        per_kind = np.zeros(len(grids))
        per_kind[drawing] = amounts
        rows = np.flatnonzero(per_kind[kinds])
        energy_j = per_kind[kinds[rows]] * factor[rows]
        intensity = mean_g_per_kwh(grid, start_s[rows], end_s[rows])
        grams[rows] += energy_j * intensity / J_PER_KWH
    return grams


def _values(grid: CarbonIntensity, when_s: FloatArray) -> FloatArray:
    when_s = when_s if grid.period_s is None else when_s % grid.period_s
    places = np.searchsorted(grid.starts_s, when_s, side="right") - 1
    values: FloatArray = np.array(grid.g_per_kwh)[places]
    return values


def _integral(grid: CarbonIntensity, until_s: FloatArray) -> FloatArray:
    """Return the integral of the intensity over time from the start of the run."""
    if grid.period_s is None:
        return _within(grid, until_s)
    whole = np.floor(until_s / grid.period_s)
    per_period = float(_within(grid, np.array([grid.period_s]))[0])
    return per_period * whole + _within(grid, until_s - whole * grid.period_s)


def _within(grid: CarbonIntensity, until_s: FloatArray) -> FloatArray:
    starts_s, values = np.array(grid.starts_s), np.array(grid.g_per_kwh)
    before = np.concatenate([[0.0], np.cumsum(np.diff(starts_s) * values[:-1])])
    places = np.searchsorted(starts_s, until_s, side="right") - 1
    total: FloatArray = before[places] + values[places] * (until_s - starts_s[places])
    return total
