"""An examination of splits: the unsplit model once, then each split on the same pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from experiments.laboratory.accuracy.examining import Unsplit
from experiments.laboratory.accuracy.scores import Share, retained
from experiments.laboratory.checkpoints import Checkpoints
from experiments.laboratory.examiner import Examiner
from experiments.laboratory.subjects import Subject
from experiments.parts import Parts
from real_runner.deployment import NodeSpec
from sim.errors import PolicyError
from sim.policies.registry import policy_named
from sim.runner import Scenario

UNSPLIT = "local"


@dataclass(frozen=True, slots=True)
class Result:
    """How one policy did.

    ``miou`` is the mean over prompts of the IoU with the wanted masks, ``kept`` that over the
    unsplit model's, by kind of prompt and of all (``all``); ``agreement`` is the mean IoU with the
    unsplit model's masks, ``same`` the part of masks that are equal to the last pixel; a picture
    takes ``bytes_up`` to clouds and ``bytes_down`` from them, on average. What cannot be known,
    without wanted masks, is absent. ``refused`` says why there is nothing.
    """

    policy: str
    prompts: int = 0
    pictures: int = 0
    miou: dict[str, float] | None = None
    kept: dict[str, Share] | None = None
    agreement: float = 0.0
    same: float = 0.0
    bytes_up: float = 0.0
    bytes_down: float = 0.0
    refused: str = ""


class Sitting:
    """Examines policies of one scenario on the same pictures.

    ``weights`` are those of modes; numbers are computed as ``spec`` says. What ``parts`` has
    already is not computed again.
    """

    def __init__(
        self,
        scenario: Scenario,
        weights: Checkpoints,
        spec: NodeSpec,
        subjects: Sequence[Subject],
        parts: Parts,
    ) -> None:
        self._scenario = scenario
        self._weights = weights
        self._spec = spec
        self._unsplit = Unsplit(subjects)
        self._parts = parts
        self._examiners: dict[Path, Examiner] = {}

    def examine(self, spec: str, told: Callable[[], None]) -> Result:
        """Return how a policy does; ``told`` is told of each picture, whether it was needed or not.

        Where a policy cannot be had in this world, the result says so.
        """
        table = self._parts.get(spec)
        if table is None:
            try:
                table = self._examined(spec, told)
            except PolicyError as error:
                return Result(spec, refused=str(error))
            self._parts.keep(spec, table)
        else:
            for _ in self._unsplit.subjects:
                told()
        return summary(spec, table, self._scenario.seed)

    def open(self, told: Callable[[], None]) -> None:
        """Run the unsplit model, which everything is compared with."""
        examiner = self._examiner(self._weights.usual)
        self._unsplit.examine(examiner, policy_named(UNSPLIT), told)

    def _examined(self, spec: str, told: Callable[[], None]) -> pd.DataFrame:
        policy = policy_named(spec)
        return self._unsplit.compared(self._examiner(self._weights.of(policy)), policy, told)

    def _examiner(self, weights: Path) -> Examiner:
        if weights not in self._examiners:
            self._examiners[weights] = Examiner(self._scenario, weights, self._spec)
        return self._examiners[weights]


def summary(spec: str, table: pd.DataFrame, seed: int) -> Result:
    """Return what a table of prompts comes to."""
    kinds = {"all": table} | {str(kind): rows for kind, rows in table.groupby("kind")}
    pictures = table.drop_duplicates("picture")
    known = bool(table["iou"].notna().all())
    return Result(
        spec,
        prompts=len(table),
        pictures=len(pictures),
        miou={kind: float(rows["iou"].mean()) for kind, rows in kinds.items()} if known else None,
        kept={
            kind: retained(rows["iou"], rows["unsplit"], rows["picture"], seed)
            for kind, rows in kinds.items()
        }
        if known
        else None,
        agreement=float(table["agreement"].mean()),
        same=float((table["agreement"] == 1.0).mean()),
        bytes_up=float(pictures["bytes_up"].mean()),
        bytes_down=float(pictures["bytes_down"].mean()),
    )
