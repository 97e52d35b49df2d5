"""A9: what a picture is of, without reconstructing it: its mood, a hue, whether it has a secret."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.laboratory.attacks.held import Matrix
from experiments.laboratory.attacks.ridge import Regression, Targets
from experiments.laboratory.attacks.statistics import Proportion, proportion
from experiments.laboratory.attacks.transcripts import Transcript
from workloads.scenes import Scene

Labels = npt.NDArray[np.int64]
"""The class of each picture, (n,)."""


@dataclass(frozen=True, slots=True)
class Guesses:
    """How often classes were right, and how often the commonest one of those learnt from is."""

    right: Proportion
    majority: Proportion


def labels(scenes: Sequence[Scene]) -> dict[str, Labels]:
    """Return what there is to tell of scenes: classes by attribute."""
    return {
        "mood": np.array([each.mood for each in scenes]),
        "largest hue": np.array([each.largest().hue for each in scenes]),
        "secret": np.array([int(bool(each.secrets())) for each in scenes]),
    }


class Classifier:
    """Ridge regression onto one number per class; the class with the highest is chosen."""

    def __init__(
        self, known: Transcript, classes: Labels, validation: tuple[Transcript, Labels]
    ) -> None:
        self._known, counts = np.unique(classes, return_counts=True)
        self._commonest = self._known[counts.argmax()]
        held, truth = validation
        wanted = self._one_hot(classes)
        self._regression = Regression(known, wanted, (held, self._one_hot(truth)), _wrong)

    def scores(self, transcript: Transcript) -> Matrix:
        """Return a score for each class that was learnt, in their order, (n, classes)."""
        return np.asarray(self._regression.predicted(transcript))

    def judged(self, transcript: Transcript, classes: Labels) -> Guesses:
        """Return how often it is right on others; a class that it never met it cannot tell."""
        found = self._known[self.scores(transcript).argmax(axis=1)]
        right, majority = (int((each == classes).sum()) for each in (found, self._commonest))
        return Guesses(proportion(right, len(classes)), proportion(majority, len(classes)))

    def _one_hot(self, classes: Labels) -> Matrix:
        return np.asarray(classes[:, None] == self._known, np.float64)


def _wrong(predicted: Targets, wanted: Targets) -> float:
    """Return how often the highest score is not the wanted class's."""
    guessed = predicted.argmax(axis=1)
    return float(1 - wanted[np.arange(len(wanted)), guessed].mean())
