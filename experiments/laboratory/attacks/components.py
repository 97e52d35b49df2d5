"""Principal components of what was received: few numbers that hold all that n pictures show of it.

Features may be hundreds of thousands, pictures a few thousand. So the decomposition is of the
smaller of the two Gram matrices, which is summed up over slices of features and never holds a
standardised copy of all of them. It takes no chance and is in double precision.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from experiments.laboratory.attacks.views import Numbers

Matrix = npt.NDArray[np.float64]

SLICE: Final = 4096
"""Features at a time."""
RANK: Final = 1e-10
"""Components with a smaller part of the largest one's variance are rounding errors."""


class Components:
    """The principal components of standardised features, at most ``most`` of them.

    ``variances`` is (components,), falling: squared lengths of the columns of the scores of the
    pictures learnt from. Features that were always the same there are left out. Costs the cube of
    the smaller of pictures and features in time, its square in memory.
    """

    def __init__(self, numbers: Numbers, most: int | None = None) -> None:
        self._centre = numbers.mean(axis=0, dtype=np.float64)
        spread = numbers.std(axis=0, dtype=np.float64)
        varies = spread > 1e-7 * np.abs(self._centre)
        self._scale = np.divide(1, spread, out=np.zeros_like(spread), where=varies)
        dual = len(numbers) < numbers.shape[1]
        variances, vectors = eigh(self._gram(numbers, numbers) if dual else self._spread(numbers))
        kept = np.flatnonzero(variances > RANK * max(variances.max(initial=0), RANK))[::-1][:most]
        self.variances: Matrix = variances[kept]
        self._project = self._dual(numbers, vectors[:, kept]) if dual else (
            self._primal(vectors[:, kept]))  # fmt: skip

    def scores(self, numbers: Numbers) -> Matrix:
        """Return (n, components): features in the components' coordinates."""
        return self._project(numbers)

    def _dual(self, known: Numbers, vectors: Matrix) -> Callable[[Numbers], Matrix]:
        turned = vectors / np.sqrt(self.variances)
        return lambda numbers: self._gram(numbers, known) @ turned

    def _primal(self, vectors: Matrix) -> Callable[[Numbers], Matrix]:
        return lambda numbers: (numbers - self._centre) * self._scale @ vectors

    def _gram(self, some: Numbers, others: Numbers) -> Matrix:
        """Return the inner products of every two pictures, (n, m)."""
        found = np.zeros((len(some), len(others)))
        for part in _slices(some.shape[1]):
            centre, scale = self._centre[part], self._scale[part]
            one = (some[:, part] - centre) * scale
            found += one @ (one if some is others else (others[:, part] - centre) * scale).T
        return found

    def _spread(self, numbers: Numbers) -> Matrix:
        """Return the inner products of every two features, (features, features)."""
        found = np.zeros((numbers.shape[1],) * 2)
        for part in _slices(len(numbers)):
            one = (numbers[part] - self._centre) * self._scale
            found += one.T @ one
        return found


def _slices(length: int) -> Iterator[slice]:
    for first in range(0, length, SLICE):
        yield slice(first, first + SLICE)
