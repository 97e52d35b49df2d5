"""Masks of a policy for many pictures, as a table with a row per prompt."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd

from experiments.laboratory.accuracy.scores import overlap
from experiments.laboratory.crew import by_many
from experiments.laboratory.examiner import Examiner
from experiments.laboratory.subjects import Masks, Subject
from sim.policy import Policy


class Unsplit:
    """What the unsplit model makes of some pictures: what every split is compared with.

    ``iou`` of its masks with the wanted ones is NaN where none are known.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.subjects = subjects
        self.table = pd.DataFrame()
        self._masks: list[np.ndarray] = []

    def examine(self, examiner: Examiner, policy: Policy, told: Callable[[], None]) -> None:
        """Run the unsplit model, as ``policy`` says where."""
        rows = []
        for subject, masks in self._made(examiner, policy):
            self._masks.append(np.packbits(masks, axis=-1))
            rows.append(_rows(subject, masks, masks, examiner))
            told()
        self.table = pd.concat(rows, ignore_index=True)

    def compared(
        self, examiner: Examiner, policy: Policy, told: Callable[[], None]
    ) -> pd.DataFrame:
        """Return a row per prompt of what a split makes of the same pictures.

        Columns are ``picture``, ``prompt``, ``kind``, ``iou`` with the wanted mask, ``unsplit``,
        the same of the unsplit model, and ``agreement``, the IoU with that model's mask;
        ``bytes_up`` and ``bytes_down`` are those of the picture, to clouds and from them.
        """
        rows = []
        for (subject, masks), packed in zip(self._made(examiner, policy), self._masks, strict=True):
            usual = np.unpackbits(packed, axis=-1).astype(bool)
            up, down = examiner.traffic(policy, subject)
            rows.append(_rows(subject, masks, usual, examiner).assign(bytes_up=up, bytes_down=down))
            told()
        found = pd.concat(rows, ignore_index=True)
        return found.assign(unsplit=self.table["iou"])

    def _made(self, examiner: Examiner, policy: Policy) -> Iterator[tuple[Subject, Masks]]:
        masks = by_many(partial(examiner.masks, policy), self.subjects, len(self.subjects))
        return zip(self.subjects, masks, strict=True)


def _rows(subject: Subject, masks: Masks, usual: Masks, examiner: Examiner) -> pd.DataFrame:
    nothing = np.full(len(masks), np.nan)
    iou = nothing if subject.masks is None else overlap(masks, examiner.on_square(subject))
    return pd.DataFrame(
        {
            "picture": subject.name,
            "prompt": range(len(masks)),
            "kind": subject.kinds,
            "iou": iou,
            "agreement": overlap(masks, usual),
        }
    )
