"""A2: ridge regression from what was held, or from what it shows, to the pixels not shown.

For features and pixels that are jointly Gaussian this is the linear estimate of least mean squared
error (LMMSE). Deterministic and fast: the attacker of the test suite.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from experiments.laboratory.attacks.attack import Known
from experiments.laboratory.attacks.pictures import Pictures, Seen
from experiments.laboratory.attacks.transcripts import Transcript
from experiments.laboratory.attacks.views import Views

Targets = npt.NDArray[np.floating[Any]]
"""(n, outputs)"""

GRID: Final = tuple(10.0**power for power in range(-6, 5))
"""What λ is chosen from, in mean variances of the components."""


class Regression:
    """Ridge regression with a free constant: rows of targets from rows of a transcript.

    ``wanted`` is (n, outputs), and its precision that of the coefficients. λ is the one of `GRID`
    for which ``loss(predicted, wanted)`` is least on the validation split, of equals the largest.
    """

    def __init__(
        self,
        known: Transcript,
        wanted: Targets,
        validation: tuple[Transcript, Targets],
        loss: Callable[[Targets, Targets], float],
    ) -> None:
        self._components, self._precision = known.components, wanted.dtype
        variances = self._components.variances
        self._mean = wanted.mean(axis=0)
        self._slopes = self._scores(known).T @ (wanted - self._mean)
        unit = float(variances.mean()) if len(variances) else 1.0
        scores, truth = self._scores(validation[0]), validation[1]
        penalties = [unit * part for part in reversed(GRID)]
        losses = [loss(self._at(scores, penalty), truth) for penalty in penalties]
        self.penalty = penalties[int(np.argmin(losses))]

    def predicted(self, transcript: Transcript) -> Targets:
        """Return (n, outputs)."""
        return self._at(self._scores(transcript), self.penalty)

    def _scores(self, transcript: Transcript) -> Targets:
        return transcript.scores(self._components).astype(self._precision)

    def _at(self, scores: Targets, penalty: float) -> Targets:
        shrunk = scores / (self._components.variances + penalty).astype(self._precision)
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
            self._told(views),
            _pixels(pictures, unseen),
            (self._told(others), _pixels(truth, unseen)),
            squared_error,
        )

    def reconstruct(self, views: Views) -> Pictures:
        """Return canvases on what the numbers tell."""
        guessed = np.zeros_like(views.canvas)
        found = self._regression.predicted(self._told(views))
        guessed[:, views.unseen] = found.reshape(len(views), -1, 3)
        return views.completed(guessed)

    def _told(self, views: Views) -> Transcript:
        """Return what it goes by."""
        return views.transcript


class ShownRidge(Ridge):
    """The same of the pixels shown, as they were put together, and of nothing else.

    They are few beside all numbers that were held, so as many pictures teach more of each; where
    nothing is shown, it goes by those.
    """

    name = "A2 shown"

    def _told(self, views: Views) -> Transcript:
        if not views.seen.any():
            return views.transcript
        return Transcript.of_numbers(_pixels(views.canvas, views.seen))


def squared_error(predicted: Targets, wanted: Targets) -> float:
    """Return the mean squared error of values clipped to 0 and 1; 0 where there is no value."""
    return float(((np.clip(predicted, 0, 1) - wanted) ** 2).mean()) if wanted.size else 0.0


def _pixels(pictures: Pictures, where: Seen) -> Targets:
    return pictures[:, where].reshape(len(pictures), -1)
