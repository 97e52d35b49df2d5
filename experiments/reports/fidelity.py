"""What ``tessera compare --out`` wrote, read back: the errors as judged, and both worlds."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd

from experiments.fidelity.errors import Results, same_steps
from experiments.fidelity.fit import counted_from
from experiments.reports.kept import Kept, Run, read_json
from sim.errors import ScenarioError

ERRORS: Final = "errors.json"


@dataclass(frozen=True)
class FidelityKept:
    """A folder of a comparison; raises `ScenarioError`, which names the file, where it is none."""

    folder: Path

    @cached_property
    def errors(self) -> Mapping[str, Any]:
        """The errors and the verdict, as ``tessera compare`` worked them out."""
        found = read_json(self.folder / ERRORS)
        if not isinstance(found, dict) or "tested" not in found:
            raise ScenarioError(f"{self.folder / ERRORS}: is not what tessera compare wrote")
        return found

    @cached_property
    def simulated(self) -> Kept:
        """The predictions."""
        return Kept(self.folder / "sim")

    @cached_property
    def real(self) -> Kept:
        """The first of the real runs, with which predictions are compared."""
        return Kept(self.folder / "real-1")

    @cached_property
    def again(self) -> Kept:
        """The second of the real runs: how far reality is from itself."""
        return Kept(self.folder / "real-2")

    def runs(self) -> list[Run]:
        """Return each policy in both worlds, one beside the other."""
        pairs = zip(self.simulated.runs("simulated"), self.real.runs("real"), strict=True)
        return [run for pair in pairs for run in pair]

    def residuals(self, other: Kept) -> pd.DataFrame:
        """Return a row per step that ``other`` and the first real run share, with its errors."""
        ours, theirs = _results(other), _results(self.real)
        return same_steps(ours, theirs)[0]


def _results(kept: Kept) -> Results:
    return Results.joined(_of_policy(kept, policy) for policy in kept.policies)


def _of_policy(kept: Kept, policy: str) -> Results:
    first = counted_from(kept.scenario(policy))
    steps, requests = kept.table("steps", policy), kept.table("requests", policy)
    return Results(
        steps[steps["request"] >= first].assign(run=policy),
        requests[requests["request"] >= first].assign(run=policy),
    )
