"""A0: what is reached without an attack, and, as the ceiling, with the picture itself.

Thresholds of success are set by those that have no information of what they guess; none of them
looks at ``numbers``.
"""

import numpy as np
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import splu

from experiments.laboratory.attacks.attack import Known
from experiments.laboratory.attacks.pictures import Pictures, Seen
from experiments.laboratory.attacks.views import Views


class MeanImage:
    """The mean of the pictures it knows, seen pixels too: a guess without any view."""

    name = "A0 mean"

    def fit(
        self, views: Views, pictures: Pictures, validation: Known, rng: np.random.Generator
    ) -> None:
        """Take the mean."""
        del views, validation, rng
        self._mean = pictures.mean(axis=0)

    def reconstruct(self, views: Views) -> Pictures:
        """Return the same picture n times."""
        return np.repeat(self._mean[None], len(views), axis=0)


class MeanFill(MeanImage):
    """What was shown, and around it the mean of the pictures it knows."""

    name = "A0 mean fill"

    def reconstruct(self, views: Views) -> Pictures:
        """Return canvases on the mean."""
        return views.completed(self._mean)


class Interpolation(MeanImage):
    """What was shown, carried on smoothly: each other pixel is the mean of its neighbours.

    This is the discrete Laplace equation, its values given where pixels are seen and none flowing
    over the picture's edges: linear interpolation for masks of any form. Where nothing is seen,
    there is nothing to carry on, and it is the mean fill.
    """

    name = "A0 linear"

    def reconstruct(self, views: Views) -> Pictures:
        """Return canvases carried on."""
        if not views.seen.any() or views.seen.all():
            return views.completed(self._mean)
        return views.completed(_harmonic(views.canvas, views.seen))


class OtherImage:
    """What was shown, and around it some other picture, drawn from those it knows."""

    name = "A0 other"

    def fit(
        self, views: Views, pictures: Pictures, validation: Known, rng: np.random.Generator
    ) -> None:
        """Keep the pictures."""
        del views, validation
        self._pictures, self._rng = pictures, rng

    def reconstruct(self, views: Views) -> Pictures:
        """Return canvases on pictures drawn anew."""
        drawn = self._rng.integers(len(self._pictures), size=len(views))
        return views.completed(self._pictures[drawn])


class WholeImage:
    """The ceiling, and the control of the metrics: it is given the very pictures to guess."""

    name = "A0 whole"

    def __init__(self, truth: Pictures) -> None:
        self._truth = truth

    def fit(
        self, views: Views, pictures: Pictures, validation: Known, rng: np.random.Generator
    ) -> None:
        """Learn nothing: it knows."""

    def reconstruct(self, views: Views) -> Pictures:
        """Return the truth; `ValueError` for views of other pictures."""
        if self._truth.shape != views.canvas.shape:
            raise ValueError(f"views: {views.canvas.shape} is not the truth's {self._truth.shape}")
        return self._truth.copy()


def _harmonic(canvas: Pictures, seen: Seen) -> Pictures:
    side, known = len(seen), seen.ravel()
    laplacian = _laplacian(side)
    within = laplacian[~known][:, ~known]
    given = canvas.transpose(1, 2, 0, 3).reshape(side * side, -1).astype(np.float64)
    found = given.copy()
    found[~known] = splu(csc_array(within)).solve(-(laplacian[~known][:, known] @ given[known]))
    filled = found.reshape(side, side, *canvas.shape[::3]).transpose(2, 0, 1, 3)
    return np.asarray(filled, np.float32)


def _laplacian(side: int) -> csc_array:
    """Return the number of a pixel's neighbours less its adjacency, (side², side²), sparse."""
    numbers = np.arange(side * side).reshape(side, side)
    one = np.concatenate([numbers[:, :-1].ravel(), numbers[:-1].ravel()])
    other = np.concatenate([numbers[:, 1:].ravel(), numbers[1:].ravel()])
    pairs = np.concatenate([one, other]), np.concatenate([other, one])
    adjacency = csc_array((np.ones(len(pairs[0])), pairs), shape=(side * side, side * side))
    return csc_array(diags_array(adjacency.sum(axis=0)) - adjacency)
