"""Where tokens lie: the orders in which a shard's rows and the grid's rows are counted.

A shard's tokens are a matrix whose rows are the real tokens of its windows, window after window,
each row by row. Attention over the whole grid wants them row by row of the grid instead.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
import numpy.typing as npt

from workloads.sam.geometry import Window, all_windows, windows
from workloads.sam.variants import Variant
from workloads.stage import Shard

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of tokens that are consecutive rows of a matrix, counted row by row.

    ``start`` is its first row in the matrix; ``top`` and ``left`` are its place on the square
    that positions are relative in.
    """

    start: int
    top: int
    left: int
    height: int
    width: int

    @property
    def tokens(self) -> int:
        """Rows of the matrix."""
        return self.height * self.width

    @property
    def rows(self) -> slice:
        """Its rows of the grid."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """Its columns of the grid."""
        return slice(self.left, self.left + self.width)


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive windows of a shard with the same extent: ``count`` of them from row ``start``."""

    start: int
    count: int
    height: int
    width: int

    @property
    def tokens(self) -> int:
        """Real tokens of all its windows."""
        return self.count * self.height * self.width


@lru_cache(maxsize=1 << 12)
def row_bounds(variant: Variant, shard: Shard) -> dict[int, tuple[int, int]]:
    """Return for each window of a shard its first row in the shard's matrix and the one after."""
    bounds, start = {}, 0
    for window in _of(variant, shard):
        bounds[window.index] = (start, start + window.tokens)
        start += window.tokens
    return bounds


@lru_cache(maxsize=1 << 12)
def areas(variant: Variant, shard: Shard) -> tuple[Area, ...]:
    """Return the windows of a shard as areas of the grid."""
    bounds = row_bounds(variant, shard)
    return tuple(
        Area(
            bounds[w.index][0],
            w.row * w.side_tokens,
            w.column * w.side_tokens,
            w.height_tokens,
            w.width_tokens,
        )
        for w in _of(variant, shard)
    )


@lru_cache(maxsize=1 << 12)
def runs_of_windows(variant: Variant, shard: Shard, most_tokens: int) -> tuple[Run, ...]:
    """Return a shard as runs of equal windows, each of at most ``most_tokens`` or one window."""
    found, start = [], 0
    extents = ((w.height_tokens, w.width_tokens) for w in _of(variant, shard))
    for (height, width), group in groupby(extents):
        left = sum(1 for _ in group)
        most = max(1, most_tokens // (height * width))
        while left:
            found.append(Run(start, min(most, left), height, width))
            start += found[-1].tokens
            left -= found[-1].count
    return tuple(found)


@lru_cache(maxsize=1 << 12)
def coordinates(variant: Variant, shard: Shard) -> tuple[Indices, Indices]:
    """Return the grid row and the grid column of each token of a shard."""
    rows, columns = [], []
    for area in areas(variant, shard):
        row, column = np.indices((area.height, area.width))
        rows.append((row + area.top).ravel())
        columns.append((column + area.left).ravel())
    return _joined(rows), _joined(columns)


@lru_cache(maxsize=64)
def grid_order(variant: Variant) -> tuple[Indices, Indices]:
    """Return how to reorder the whole image's tokens.

    ``matrix[first]`` is in the order of the grid if ``matrix`` is in that of the windows, and
    ``matrix[second]`` leads back.
    """
    rows, columns = coordinates(variant, all_windows(variant))
    to_windows = rows * variant.grid_tokens + columns
    return np.argsort(to_windows), to_windows


@lru_cache(maxsize=1 << 10)
def neighbours(variant: Variant, shard: Shard) -> Indices:
    """Return for each token of a shard the rows of the 3×3 tokens around it, (tokens, 9).

    A neighbour outside the shard is given as the number of the shard's tokens.
    """
    rows, columns = coordinates(variant, shard)
    side = variant.grid_tokens + 2
    lookup = np.full((side, side), len(rows), dtype=np.int64)
    lookup[rows + 1, columns + 1] = np.arange(len(rows))
    around = [
        lookup[rows + 1 + down, columns + 1 + right] for down in (-1, 0, 1) for right in (-1, 0, 1)
    ]
    return np.stack(around, axis=1)


def _of(variant: Variant, shard: Shard) -> list[Window]:
    known = windows(variant)
    return [known[index] for index in shard]


def _joined(parts: list[Indices]) -> Indices:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
