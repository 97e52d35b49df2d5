"""What a user chose to run: a scenario, under which policies, and where results are to lie."""

from dataclasses import dataclass
from pathlib import Path

from experiments.cli.options import expand
from experiments.results import ResultFolder
from experiments.scenarios.document import ScenarioDocument
from experiments.scenarios.loader import build, read_scenario, scenario_path
from sim.policies.registry import policies_for
from sim.runner import Scenario


@dataclass(frozen=True, slots=True)
class Chosen:
    """The scenario of ``path`` once per policy, and the ``folder`` for what they come to."""

    path: Path
    document: ScenarioDocument
    specs: list[str]
    scenarios: list[Scenario]
    folder: ResultFolder | None

    @property
    def name(self) -> str:
        """What the scenario is called."""
        return self.path.stem


def choose(
    scenario: str, policies: list[str] | None, settings: list[str] | None, out: Path | None
) -> Chosen:
    """Return what the options name; without ``policies`` it is the scenario's own.

    Raises what users' mistakes raise: `sim.errors.ScenarioError` and what it is built of.
    """
    path = scenario_path(scenario)
    document = read_scenario(path, settings or [])
    named = policies or [document.policy]
    shipped = policies_for(build(document, path).workload.model) if "all" in named else ()
    specs = expand(named, shipped)
    scenarios = [build(document, path, spec) for spec in specs]
    return Chosen(path, document, specs, scenarios, ResultFolder(out) if out else None)
