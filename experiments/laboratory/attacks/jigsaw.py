"""A6: put shuffled windows back in their places, by what each window's numbers say of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.semantic import Classifier
from experiments.laboratory.attacks.statistics import Summary, summary
from experiments.laboratory.attacks.transcripts import Transcript

Windows = npt.NDArray[np.float32]
"""(n, windows, features), each window of a picture at its own place."""

Place = tuple[slice, slice]
"""Rows and columns of a picture."""


@dataclass(frozen=True, slots=True)
class Jigsaw:
    """The part of a picture's windows that came to lie in their places, and by chance."""

    accuracy: Summary
    chance: float


def cut_out(pictures: Pictures, places: Sequence[Place]) -> Windows:
    """Return the pixels of windows of one size, as features."""
    return np.stack([pictures[:, *each].reshape(len(pictures), -1) for each in places], axis=1)


def jigsaw(
    known: Windows, validation: Windows, attacked: Windows, rng: np.random.Generator
) -> Jigsaw:
    """Learn windows' places, shuffle those attacked, and assign each a place of its own.

    The assignment is the one with the highest sum of scores (Hungarian method). By chance one
    window of a picture is right on average.
    """
    places = known.shape[1]
    classifier = Classifier(*_each(known), _each(validation))
    right = [_right(classifier, picture, rng.permutation(places)) for picture in attacked]
    return Jigsaw(summary(np.array(right)), 1 / places)


def _each(windows: Windows) -> tuple[Transcript, npt.NDArray[np.int64]]:
    """Return every window by itself, and its place."""
    count, places, features = windows.shape
    rows = Transcript.of_numbers(windows.reshape(-1, features))
    return rows, np.tile(np.arange(places), count)


def _right(classifier: Classifier, picture: Windows, order: npt.NDArray[np.int64]) -> float:
    scores = classifier.scores(Transcript.of_numbers(picture[order]))
    shuffled, places = linear_sum_assignment(scores, maximize=True)
    return float((order[shuffled] == places).mean())
