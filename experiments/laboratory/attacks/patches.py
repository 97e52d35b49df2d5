"""A1: patch embeddings back to patches, in closed form.

A patch embedding is z = W·p + b + pos: p̂ = W⁺·(z - b - pos) is p itself where W has at least as
many rows as a patch has numbers, and else the patch's part in W's row space.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.laboratory.attacks.pictures import Pictures

Reals = npt.NDArray[np.floating[Any]]


class Inversion:
    """W⁺ of one embedding, worked out once.

    ``weight`` is (dim, 3·patch²) as a convolution's weights flattened, colours first, ``bias``
    (dim).
    """

    def __init__(self, weight: Reals, bias: Reals) -> None:
        self._inverse = np.linalg.pinv(np.asarray(weight, np.float64)).T
        self._bias = bias

    def patches(self, tokens: Reals, positions: Reals | float = 0.0) -> npt.NDArray[np.float64]:
        """Return the patches, (n, tokens, 3·patch²), that were embedded.

        ``tokens`` is (n, tokens, dim), ``positions`` (tokens, dim) or 0 where none were added yet.
        In the units of the encoder's input: whoever normalised it has to undo that.
        """
        plain = np.asarray(tokens, np.float64) - np.asarray(positions, np.float64) - self._bias
        return np.asarray(plain @ self._inverse)


def cut(pictures: Reals, patch_px: int) -> Reals:
    """Return the patches of pictures, (n, tokens, 3·patch²): by row, colours first."""
    count, side = pictures.shape[:2]
    across = side // patch_px
    cells = pictures.reshape(count, across, patch_px, across, patch_px, 3)
    return cells.transpose(0, 1, 3, 5, 2, 4).reshape(count, across**2, 3 * patch_px**2)


def pasted(patches: Reals, patch_px: int) -> Pictures:
    """Return the pictures that patches, as `cut` has them, make up."""
    count, across = len(patches), round(patches.shape[1] ** 0.5)
    cells = patches.reshape(count, across, across, 3, patch_px, patch_px)
    side = across * patch_px
    whole = cells.transpose(0, 1, 4, 2, 5, 3).reshape(count, side, side, 3)
    return np.asarray(whole, np.float32)
