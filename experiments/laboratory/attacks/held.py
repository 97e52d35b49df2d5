"""What one cloud received and sent of many pictures, and how alike it is for any two of them.

Attackers that are linear in it need inner products only, and those of features side by side add
up: a coalition's are the sum of its members'. So each member's are worked out once, in double
precision, whoever it is together with, and slice by slice, for features may be hundreds of
thousands.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.floating[Any]]
"""(n, features)"""
Matrix = npt.NDArray[np.float64]

SLICE: Final = 4096
"""Features at a time."""


class Held:
    """Numbers, (n, features), which must not be changed any more."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self._products = WeakKeyDictionary[Held, Matrix]()

    def products(self, known: "Held") -> Matrix:
        """Return the inner products of these rows with those known, (n, known).

        Each feature is centred and scaled as it was in those; one that never varied there is left
        out. They are remembered.
        """
        found = self._products.get(known)
        if found is None:
            found = self._products[known] = self._multiplied(known)
        return found

    def standardised(self, known: "Held", part: slice) -> Matrix:
        """Return some features as they are, centred and scaled, in `products`."""
        centre, scale = known.standard
        return np.asarray((self.numbers[:, part] - centre[part]) * scale[part])

    def _multiplied(self, known: "Held") -> Matrix:
        found = np.zeros((len(self.numbers), len(known.numbers)))
        for part in self._slices():
            one = self.standardised(known, part)
            found += one @ (one if self is known else known.standardised(known, part)).T
        return found

    def _slices(self) -> Iterator[slice]:
        for first in range(0, self.numbers.shape[1], SLICE):
            yield slice(first, first + SLICE)

    @cached_property
    def standard(self) -> tuple[Matrix, Matrix]:
        """The mean of each feature, and one over its deviation, or 0 where that is none."""
        parts = [_standard(self.numbers[:, part]) for part in self._slices()]
        centres, scales = zip(*parts, strict=True)
        return np.concatenate(centres), np.concatenate(scales)


def _standard(numbers: Numbers) -> tuple[Matrix, Matrix]:
    centre = numbers.mean(axis=0, dtype=np.float64)
    spread = numbers.std(axis=0, dtype=np.float64)
    varies = spread > 1e-7 * np.abs(centre)
    return centre, np.divide(1, spread, out=np.zeros_like(spread), where=varies)
