"""Principal components of what was held: few numbers that hold all that n pictures show of it.

The decomposition is of the smaller of two matrices: of inner products of pictures, or of features.
It takes no chance and is in double precision.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.linalg import eigh

from experiments.laboratory.attacks.held import Held, Matrix

RANK: Final = 1e-10
"""Components with a smaller part of the largest one's variance are rounding errors."""
_ALL: Final = slice(None)


class Components:
    """The principal components of standardised features of all that the parts hold.

    ``variances`` is (components,), falling: squared lengths of the columns of the scores of the
    pictures learnt from. Features that were always the same there are left out. Costs the cube of
    the smaller of pictures and features in time, its square in memory.
    """

    def __init__(self, known: Sequence[Held]) -> None:
        self._known = tuple(known)
        pictures = len(known[0].numbers)
        self._by_pictures = pictures < sum(each.numbers.shape[1] for each in known)
        products = self._against(known) if self._by_pictures else self._spread()
        variances, vectors = eigh(products, driver="evd", check_finite=False)
        kept = np.flatnonzero(variances > RANK * max(variances.max(initial=0), RANK))[::-1]
        self.variances: Matrix = variances[kept]
        self._turned: Matrix = vectors[:, kept]
        if self._by_pictures:
            self._turned /= np.sqrt(self.variances)

    def scores(self, held: Sequence[Held]) -> Matrix:
        """Return (n, components): what the same members hold, in the components' coordinates."""
        found = self._against(held) if self._by_pictures else self._features(held)
        return np.asarray(found @ self._turned)

    def _against(self, held: Sequence[Held]) -> Matrix:
        """Return the inner products with every picture known, (n, known)."""
        pairs = zip(held, self._known, strict=True)
        return np.asarray(sum(each.products(known) for each, known in pairs))

    def _features(self, held: Sequence[Held]) -> Matrix:
        pairs = zip(held, self._known, strict=True)
        return np.concatenate([each.standardised(known, _ALL) for each, known in pairs], axis=1)

    def _spread(self) -> Matrix:
        """Return the inner products of every two features, (features, features)."""
        features = self._features(self._known)
        return np.asarray(features.T @ features)
