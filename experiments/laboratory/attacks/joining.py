"""Squares of which the mean colours were kept back, joined again at their borders.

Pictures go on from one square to the next, so by how much two squares' means differ is about the
step that there would be at their border without it. All steps together are a least-squares problem
(as in gradient-domain fusion: Pérez et al. 2003, doi 10.1145/882262.882269); what it leaves open
is one constant per tile and colour.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from workloads.scenes import Picture

Reals = npt.NDArray[np.float64]
Square = tuple[int, int]
"""Row and column of a square in its tile."""

MIDDLE: Final = 128
"""What the mean of a tile is taken to be."""


def joined(colours: Picture, side_px: int) -> Picture:
    """Return a tile (height, width, 3) whose squares fit together, with a mean of `MIDDLE`.

    ``side_px`` is the side of a square; the last ones of rows and columns may be smaller. What
    would lie outside of what bytes can hold is cut off.
    """
    extents = [
        np.diff(np.arange(0, extent, side_px), append=extent) for extent in colours.shape[:2]
    ]
    shape = (len(extents[0]), len(extents[1]))
    plain = colours.astype(np.float64)
    pairs = _pairs(*shape)
    if pairs:
        steps = np.array([_step(plain, side_px, *pair) for pair in pairs])
        means = (_solver(*shape) @ steps).reshape(*shape, 3)
        plain += means.repeat(extents[0], axis=0).repeat(extents[1], axis=1)
    plain += MIDDLE - plain.mean(axis=(0, 1))
    return np.asarray(plain.round().clip(0, 255), np.uint8)


@lru_cache(maxsize=16)
def _pairs(rows: int, columns: int) -> tuple[tuple[Square, Square], ...]:
    """Return every two squares that share a border, the left or upper one first."""
    return tuple(_neighbours(rows, columns))


def _neighbours(rows: int, columns: int) -> Iterator[tuple[Square, Square]]:
    for row in range(rows):
        for column in range(columns):
            if column + 1 < columns:
                yield (row, column), (row, column + 1)
            if row + 1 < rows:
                yield (row, column), (row + 1, column)


def _step(colours: Reals, side_px: int, one: Square, other: Square) -> Reals:
    """Return by how much the other square's mean lies above the one's, if nothing begins there.

    It is the median along the border, which an object that ends there on a part of it moves little.
    """
    top, left = other[0] * side_px, other[1] * side_px
    if one[0] == other[0]:
        before, behind = colours[:, left - 1], colours[:, left]
        along = slice(top, top + side_px)
    else:
        before, behind = colours[top - 1], colours[top]
        along = slice(left, left + side_px)
    return np.asarray(np.median(before[along] - behind[along], axis=0))


@lru_cache(maxsize=16)
def _solver(rows: int, columns: int) -> Reals:
    """Return what turns steps into means whose sum is 0: the pseudo-inverse of the differences."""
    pairs = _pairs(rows, columns)
    differences = np.zeros((len(pairs), rows * columns))
    for number, (one, other) in enumerate(pairs):
        differences[number, other[0] * columns + other[1]] = 1
        differences[number, one[0] * columns + one[1]] = -1
    return np.asarray(np.linalg.pinv(differences))
