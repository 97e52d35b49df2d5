"""Paired differences between two systems that saw the same random numbers.

Common random numbers make the values of two systems rise and fall together, so that their
difference varies less than either (Law, *Simulation Modeling and Analysis*, 5th ed., sections
10.2.1 and 11.2). Several questions at once are corrected after Holm ("A simple sequentially
rejective multiple test procedure", Scandinavian J. Statistics 6, 1979): the chance of any wrong
answer among all of them stays below the level.
"""

from collections.abc import Sequence
from math import nan, sqrt

import numpy as np
from scipy.special import stdtr

from experiments.statistics.estimates import Estimate, estimate

ROUNDING = 1e-9
"""Relative to the values: where differences are smaller, they are the floating point's."""


def paired_difference(
    values: Sequence[float], reference: Sequence[float], confidence: float = 0.95
) -> tuple[Estimate, float]:
    """Return the mean of ``values`` minus ``reference``, and the p-value of there being none.

    Student's t over the pairs, two-sided. Pairs of which one is not finite are left out; the
    p-value is NaN where fewer than two are left.
    """
    pairs = np.array([values, reference], dtype=np.float64)
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    if pairs.shape[1] < 2:
        return Estimate(nan, nan, nan, ""), nan
    apart = pairs[0] - pairs[1]
    apart[np.abs(apart) <= ROUNDING * np.abs(pairs).max()] = 0.0
    return estimate(apart, confidence), _p_value(apart)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the adjusted p-values, to be compared with the level; NaN stays and counts not.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    asked = [place for place, p in enumerate(p_values) if p == p]  # noqa: PLR0124 - not NaN
    adjusted = [nan] * len(p_values)
    reached = 0.0
    for rank, place in enumerate(sorted(asked, key=p_values.__getitem__)):
        reached = min(1.0, max(reached, (len(asked) - rank) * p_values[place]))
        adjusted[place] = reached
    return adjusted


def _p_value(apart: np.ndarray) -> float:
    mean, spread = float(np.mean(apart)), float(np.std(apart, ddof=1))
    if spread <= ROUNDING * abs(mean):
        return 0.0 if mean else 1.0
    score = abs(mean) / (spread / sqrt(len(apart)))
    return 2 * float(stdtr(len(apart) - 1, -score))
