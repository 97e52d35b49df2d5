"""The whole experiment, with a world of other parameters standing in for the real one."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from experiments.fidelity.errors import QUANTILES
from experiments.fidelity.experiment import Experiment
from real_runner.deployment import Deployment
from sim.errors import ScenarioError
from sim.runner import Scenario
from sim.trace import FAILED, Outcome, Sink, Trace
from tests.experiments.fidelity.conftest import Elsewhere, Law, MakeScenarios

EVEN = "assignment=round-robin"
TRAIN = (
    "local",
    f"sharded/deferred:{EVEN}",
    f"sharded/deferred:{EVEN},upload=embeddings",
    f"sharded/exact:{EVEN},clouds=2",
    f"sharded/exact:{EVEN},clouds=1",
)
TEST = (f"sharded/prefix:{EVEN},clouds=3", f"sharded/exact:{EVEN},clouds=4")


def test_unseen_cuts_of_another_world_are_predicted_step_by_step(
    scenarios: MakeScenarios, tmp_path: Path
) -> None:
    law = Law(by_kind={"sam.windowed": 3.0, "sam.merge": 0.3})
    real = Elsewhere(law)
    advanced: list[int] = []
    experiment = Experiment(scenarios(*TRAIN), scenarios(*TEST), Deployment(), real)
    found = experiment.conduct(tmp_path, lambda: advanced.append(1))
    assert [each.policy for each in found.tested] == list(TEST)
    assert found.trained == TRAIN
    for each in (*found.tested, found.together):
        assert each.errors.matched == 1.0
        assert each.errors.worst_step < 0.05
        assert abs(each.errors.latency("p50").error.mean) < 0.05
        assert each.spread.worst_step == 0.0
    assert real.runs == experiment.runs == len(advanced) == 9


def test_reality_that_strays_shows_beside_the_errors(
    scenarios: MakeScenarios, tmp_path: Path
) -> None:
    found = Experiment(
        scenarios(*TRAIN), scenarios(TEST[0]), Deployment(), Elsewhere(Law(), cv=0.3)
    ).conduct(tmp_path)
    compute = next(each for each in found.together.spread.kinds if each.kind == "compute")
    assert compute.single > 0.1
    assert compute.duration < compute.single
    assert len(found.together.errors.latencies) == len(QUANTILES)


@dataclass
class Drifting:
    """A world that turns three times slower once it has been trained on."""

    trained: int
    runs: int = 0

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        self.runs += 1
        slowness = 1.0 if self.runs <= self.trained else 3.0
        return Elsewhere(Law(slowness)).run(scenario, replication, sink)


def test_a_world_that_is_not_the_one_fitted_to_is_told_from_it(
    scenarios: MakeScenarios, tmp_path: Path
) -> None:
    experiment = Experiment(scenarios(*TRAIN), scenarios(*TEST), Deployment(), Drifting(len(TRAIN)))
    found = experiment.conduct(tmp_path).together
    assert found.errors.worst_step > 0.5
    assert found.errors.latency("p50").error.high < -0.1
    assert found.spread.worst_step == 0.0


def test_both_worlds_leave_result_folders_of_one_schema(
    scenarios: MakeScenarios, tmp_path: Path
) -> None:
    train, test = scenarios(f"sharded/deferred:{EVEN}"), scenarios("sharded/deferred:clouds=2")
    Experiment(train, test, Deployment(), Elsewhere()).conduct(tmp_path)
    steps = {
        name: pd.read_parquet(tmp_path / name / "steps.parquet")
        for name in ("sim", "real-1", "real-2")
    }
    assert {name: set(table["world"]) for name, table in steps.items()} == {
        "sim": {"sim"}, "real-1": {"real"}, "real-2": {"real"},
    }  # fmt: skip
    assert len({tuple(table.columns) for table in steps.values()}) == 1
    names = sorted(path.name for path in (tmp_path / "fitted").iterdir())
    assert "topology.yaml" in names
    assert len(names) > 2


def test_nothing_is_predicted_that_was_fitted_to(scenarios: MakeScenarios) -> None:
    with pytest.raises(ScenarioError, match="local is both fitted to and predicted"):
        Experiment(scenarios(*TRAIN), scenarios("local"), Deployment(), Elsewhere())


def test_one_list_or_the_other_must_not_be_empty(scenarios: MakeScenarios) -> None:
    with pytest.raises(ScenarioError, match="at least one policy to train on"):
        Experiment([], scenarios("local"), Deployment(), Elsewhere())


def test_a_kind_of_stage_that_training_never_ran_is_named(
    scenarios: MakeScenarios, tmp_path: Path
) -> None:
    experiment = Experiment(
        scenarios("sharded/deferred"), scenarios("sharded/landmark"), Deployment(), Elsewhere()
    )
    with pytest.raises(ScenarioError, match=r"sharded/landmark runs 'sam\.\w+' on '.*--train"):
        experiment.conduct(tmp_path)


class Failing(Elsewhere):
    """A world in which the first request always comes to nothing."""

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        trace = super().run(scenario, replication, sink)
        first = trace.outcomes[0]
        trace.outcomes[0] = Outcome(first.request, first.end_s, FAILED, "the cloud is gone")
        return trace


def test_nothing_is_fitted_to_a_run_that_failed(scenarios: MakeScenarios, tmp_path: Path) -> None:
    other = scenarios("local:edge=orin-nano")
    experiment = Experiment(scenarios("local"), other, Deployment(), Failing())
    with pytest.raises(ScenarioError, match="under local request 0 failed: the cloud is gone"):
        experiment.conduct(tmp_path)


def test_the_policy_goes_on_believing_what_the_file_says(
    scenarios: MakeScenarios, tmp_path: Path
) -> None:
    """Else the fitted world's other rates would lead to another assignment than the real one."""
    settings = ("workload.model=sam-vit-b", "workload.requests=6", "workload.arrivals.rate_per_s=1")
    train = scenarios(f"sharded/deferred:{EVEN}", settings=settings)
    test = scenarios("sharded/deferred", settings=settings)
    slow = Elsewhere(Law(slowness=1e-3))
    found = Experiment(train, test, Deployment(), slow).conduct(tmp_path)
    assert found.together.errors.matched == 1.0
