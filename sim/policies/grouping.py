"""Groups of windows, alike in size, that lie close together or far apart.

How near windows are is an energy of each pair; what is wanted are groups with as little of it
inside as possible, none larger than longest processing time first makes its largest (Graham 1969,
doi 10.1137/0117039: at most 4/3 of the least possible). That is an assignment problem without a
quick exact answer, so windows move or change groups for as long as there is anything to be gained,
from several beginnings of which the best is taken.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from workloads.sam.geometry import Window

Owners = npt.NDArray[np.int64]
"""For each window, by its place, the group that it is in."""

_Reals = npt.NDArray[np.float64]

DRAWN_STARTS = 4
_LEAST_GAIN = 1e-9


@lru_cache(maxsize=256)
def close(windows: tuple[Window, ...], count: int) -> tuple[int, ...]:
    """Return each window's group of ``count``, the groups compact: least squared distances."""
    return tuple(_best(windows, count, lambda squared: squared))


@lru_cache(maxsize=256)
def apart(windows: tuple[Window, ...], count: int) -> tuple[int, ...]:
    """Return each window's group of ``count``, its windows far apart: least Σ 1/distance⁴.

    A power so high weighs the nearest pair most; the sum of distances itself would be largest
    with windows side by side in opposite corners.
    """
    return tuple(_best(windows, count, lambda squared: squared**-2.0))


def _best(windows: Sequence[Window], count: int, energy: Callable[[_Reals], _Reals]) -> list[int]:
    if not windows:
        return []
    sizes = np.array([float(window.tokens) for window in windows])
    places = np.array([(window.row, window.column) for window in windows], np.float64)
    squared = np.square(places[:, None] - places[None]).sum(axis=-1)
    np.fill_diagonal(squared, 1.0)
    energies = energy(squared)
    np.fill_diagonal(energies, 0.0)
    fair = _longest_first(sizes, count)
    most = np.bincount(fair, sizes, count).max()
    found = [_Search(energies, sizes, count, most, start).settled()
             for start in (fair, *_starts(places, count))]  # fmt: skip
    return [int(group) for group in min(found)[-1]]


def _starts(places: _Reals, count: int) -> list[Owners]:
    """Return beginnings: runs along a boustrophedon of rows, and some drawn ones."""
    rows, columns = places.T
    order = np.lexsort((np.where(rows % 2 == 0, columns, -columns), rows))
    runs = np.empty(len(places), np.int64)
    runs[order] = np.arange(len(places)) * min(count, len(places)) // len(places)
    generator = np.random.default_rng(0)
    return [runs, *(generator.permutation(runs) for _ in range(DRAWN_STARTS))]


def _longest_first(sizes: _Reals, count: int) -> Owners:
    owners, loads = np.empty(len(sizes), np.int64), np.zeros(count)
    for window in np.argsort(-sizes, kind="stable"):
        owners[window] = loads.argmin()
        loads[owners[window]] += sizes[window]
    return owners


class _Search:
    """Steepest descent in what groups exceed ``most`` by, then in their energy."""

    def __init__(
        self, energies: _Reals, sizes: _Reals, count: int, most: float, start: Owners
    ) -> None:
        self._energies, self._sizes, self._count, self._most = energies, sizes, count, most
        self._owners = start.copy()
        self._weight = 1.0 + energies.sum()  # more than all energy there is, per token in excess

    def settled(self) -> tuple[float, float, tuple[int, ...]]:
        """Return the excess, the energy and the owners where nothing is to be gained any more."""
        while True:
            to_groups = self._energies @ np.eye(self._count)[self._owners]
            own = to_groups[np.arange(len(self._owners)), self._owners]
            loads: _Reals = np.bincount(self._owners, self._sizes, self._count).astype(np.float64)
            moves = self._moves(to_groups, own, loads)
            swaps = self._swaps(to_groups, own, loads)
            if min(moves.min(), swaps.min()) > -_LEAST_GAIN:
                excess = np.maximum(loads - self._most, 0).sum()
                return float(excess), float(own.sum()), tuple(self._owners.tolist())
            if moves.min() <= swaps.min():
                window, group = np.unravel_index(moves.argmin(), moves.shape)
                self._owners[window] = group
            else:
                one, two = np.unravel_index(swaps.argmin(), swaps.shape)
                self._owners[[one, two]] = self._owners[[two, one]]

    def _moves(self, to_groups: _Reals, own: _Reals, loads: _Reals) -> _Reals:
        """Return what each window's move to each group changes; none leaves a group empty."""
        sizes, mine = self._sizes, loads[self._owners]
        change: _Reals = to_groups - own[:, None] + self._weight * (
            self._over(loads[None] + sizes[:, None]) - self._over(loads)[None]
            + (self._over(mine - sizes) - self._over(mine))[:, None]
        )  # fmt: skip
        alone = np.bincount(self._owners, minlength=self._count)[self._owners] == 1
        change[alone] = np.inf
        change[np.arange(len(sizes)), self._owners] = np.inf
        return change

    def _swaps(self, to_groups: _Reals, own: _Reals, loads: _Reals) -> _Reals:
        """Return what changing places changes, for each pair of windows."""
        there = to_groups[:, self._owners]  # of a window with the group of another
        mine, gained = loads[self._owners], self._sizes[None] - self._sizes[:, None]
        over = self._over(mine[:, None] + gained) - self._over(mine)[:, None]
        change = there - own[:, None] - self._energies + self._weight * over
        both: _Reals = change + change.T
        both[self._owners[:, None] == self._owners[None]] = np.inf
        return both

    def _over(self, loads: _Reals) -> _Reals:
        excess: _Reals = np.maximum(loads - self._most, 0.0)
        return excess
