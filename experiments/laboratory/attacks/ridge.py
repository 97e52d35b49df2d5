"""A2: ridge regression from what was received to the pixels that were not shown.

For features and pixels that are jointly Gaussian this is the linear estimate of least mean squared
error (LMMSE). Deterministic and fast: the attacker of the test suite.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from experiments.laboratory.attacks.attack import Known
from experiments.laboratory.attacks.components import Components, Matrix
from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.views import Numbers, Views

GRID: Final = tuple(10.0**power for power in range(-6, 5))
"""What λ is chosen from, in mean variances of the components."""


class Regression:
    """Ridge regression with a free constant: rows of targets from rows of features.

    ``wanted`` is (n, outputs). λ is the one of `GRID` for which ``loss(predicted, wanted)`` is
    least on the validation split, of equals the largest.
    """

    def __init__(
        self,
        numbers: Numbers,
        wanted: Matrix,
        validation: tuple[Numbers, Matrix],
        loss: Callable[[Matrix, Matrix], float],
    ) -> None:
        self._components = Components(numbers)
        variances = self._components.variances
        self._mean = wanted.mean(axis=0)
        self._slopes = self._components.scores(numbers).T @ (wanted - self._mean)
        unit = float(variances.mean()) if len(variances) else 1.0
        scores, truth = self._components.scores(validation[0]), validation[1]
        penalties = [unit * part for part in reversed(GRID)]
        losses = [loss(self._at(scores, penalty), truth) for penalty in penalties]
        self.penalty = penalties[int(np.argmin(losses))]

    def predicted(self, numbers: Numbers) -> Matrix:
        """Return (n, outputs)."""
        return self._at(self._components.scores(numbers), self.penalty)

    def _at(self, scores: Matrix, penalty: float) -> Matrix:
        shrunk = scores / (self._components.variances + penalty)
        return np.asarray(shrunk @ self._slopes + self._mean)


class Ridge:
    """Every unseen pixel as a linear function of everything received."""

    name = "A2"

    def fit(
        self, views: Views, pictures: Pictures, validation: Known, rng: np.random.Generator
    ) -> None:
        """Solve for the coefficients; takes no chance."""
        del rng
        unseen, (others, truth) = views.unseen, validation
        self._regression = Regression(
            views.numbers,
            _pixels(pictures, unseen),
            (others.numbers, _pixels(truth, unseen)),
            squared_error,
        )

    def reconstruct(self, views: Views) -> Pictures:
        """Return canvases on what the numbers tell."""
        guessed = np.zeros_like(views.canvas)
        found = self._regression.predicted(views.numbers)
        guessed[:, views.unseen] = found.reshape(len(views), -1, 3)
        return views.completed(guessed)


def squared_error(predicted: Matrix, wanted: Matrix) -> float:
    """Return the mean squared error of values clipped to 0 and 1; 0 where there is no value."""
    return float(((np.clip(predicted, 0, 1) - wanted) ** 2).mean()) if wanted.size else 0.0


def _pixels(pictures: Pictures, where: np.ndarray) -> Matrix:
    return pictures[:, where].reshape(len(pictures), -1).astype(np.float64)
