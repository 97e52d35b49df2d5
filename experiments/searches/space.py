"""All that a search may try: policies, and what each of them leaves open."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.scenarios.loader import read_scenario
from experiments.searches.dimensions import Dimension, drawn, size_of, values_of
from experiments.sweeps.axes import POLICY, Cell, placeholders, settings_of
from sim.errors import ScenarioError
from sim.policies.registry import policy_named

if TYPE_CHECKING:
    from optuna import Trial


@dataclass(frozen=True, slots=True)
class Space:
    """Policies, and the ``dimensions`` of what they name in braces and of scenarios' settings."""

    policies: tuple[str, ...]
    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> float:
        """How many different cells there are, which may be infinitely many."""
        return sum(prod(map(size_of, self._meant(policy))) for policy in self.policies)

    def cell(self, trial: "Trial") -> Cell:
        """Return the cell that a trial of Optuna's is to try."""
        policy = self.policies[0]
        if len(self.policies) > 1:
            policy = str(trial.suggest_categorical(POLICY, self.policies))
        return self._cell(
            trial.number, policy, {each.key: drawn(trial, each) for each in self._meant(policy)}
        )

    def check(self, path: Path, settings: Sequence[str]) -> None:
        """Raise what a cell would, where a value or a range's end is none for itself."""
        keys = [each.key for each in self.dimensions]
        if not keys:
            raise ScenarioError("--over: say what to search over, e.g. --over clouds=1..16")
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise ScenarioError(f"--over {twice[0]}: is given twice; give all values at once")
        for policy in self.policies:
            for name in placeholders(policy):
                if name not in keys:
                    raise ScenarioError(f"--policy {policy!r}: no {name!r}; give --over {name}=…")
            for cell in self._corners(policy):
                policy_named(cell.policy)
                for setting in settings_of(cell, self.policies):
                    read_scenario(path, [*settings, setting])

    def _corners(self, policy: str) -> list[Cell]:
        """Return cells in which every value comes at least once."""
        meant = self._meant(policy)
        first = {each.key: values_of(each)[0] for each in meant}
        changes = [{each.key: value} for each in meant for value in values_of(each)]
        return [self._cell(0, policy, first | change) for change in changes or [{}]]

    def _cell(self, number: int, policy: str, values: dict[str, str]) -> Cell:
        at = tuple((each.key, values.get(each.key, "")) for each in self.dimensions)
        return Cell(number, policy.format_map(values), at)

    def _meant(self, policy: str) -> list[Dimension]:
        """Return the dimensions without other policies' own."""
        others = {name for each in self.policies for name in placeholders(each)}
        others -= set(placeholders(policy))
        return [each for each in self.dimensions if each.key not in others]
