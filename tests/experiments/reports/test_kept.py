"""Results read back are those that were run: one way to sum up, wherever tables come from."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.campaign import Campaign, run_campaign
from experiments.reports.kept import Kept, Run
from experiments.results import ResultFolder
from experiments.scenarios.loader import load, read_scenario, scenario_path
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from tests.experiments.reports.conftest import POLICIES

SCENARIO = "orin-nano-4-clouds"
ASKED = {
    "several": ("replications=3", "workload.requests=60", "warm_up=10"),
    "one": ("replications=1", "workload.requests=60", "warm_up=auto"),
    "crowded": (
        "replications=2",
        "workload.requests=60",
        "workload.arrivals={kind: poisson, rate_per_s: 9.0}",
    ),
}


@pytest.fixture(scope="module", params=ASKED)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Campaign], list[Run]]:
    """Return campaigns as they were run, and as they are read back."""
    settings, out = ASKED[request.param], tmp_path_factory.mktemp("kept") / "results"
    document = read_scenario(scenario_path(SCENARIO), settings)
    policies = ("local", "sharded/exact", "offload")
    with ResultFolder(out) as folder:
        ran = [
            run_campaign(load(SCENARIO, settings, policy), Simulator(), folder)
            for policy in policies
        ]
        folder.complete(SCENARIO, document.model_dump(mode="json"), policies)
    return ran, Kept(out).runs()


def test_every_figure_is_the_same(both: tuple[list[Campaign], list[Run]]) -> None:
    for ran, run in zip(*both, strict=True):
        kept = run.campaign
        assert kept.latencies_s == ran.latencies_s
        assert repr(kept.replications) == repr(ran.replications)
        assert repr(kept.metrics) == repr(ran.metrics)
        assert kept.warm_up == ran.warm_up
        assert kept.saturation.reason == ran.saturation.reason
        assert kept.saturation.busiest == ran.saturation.busiest
        pd.testing.assert_frame_equal(kept.seen, ran.seen, check_dtype=False)
        pd.testing.assert_frame_equal(kept.held, ran.held, check_dtype=False)
        assert kept.utilisation.keys() == ran.utilisation.keys()
        for name, each in ran.utilisation.items():
            assert kept.utilisation[name].mean == pytest.approx(each.mean, rel=1e-9, abs=1e-12)


def test_the_world_is_the_same_whatever_became_of_its_file(
    both: tuple[list[Campaign], list[Run]],
) -> None:
    for ran, run in zip(*both, strict=True):
        assert run.campaign.scenario.topology == ran.scenario.topology
        assert run.campaign.scenario.workload == ran.scenario.workload


def test_what_time_was_spent_on_adds_up_to_every_latency(results: Path) -> None:
    for run in Kept(results).runs():
        latencies_s = [each for one in run.campaign.latencies_s for each in one]
        assert run.spent.sum(axis=1).tolist() == pytest.approx(latencies_s, abs=1e-9, rel=0)


@pytest.mark.parametrize("lost", ["steps.parquet", "topology.yaml", "nodes.parquet"])
def test_what_is_lacking_is_named(results: Path, tmp_path: Path, lost: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    (copy / lost).unlink()
    with pytest.raises(ScenarioError, match=lost):
        Kept(copy).runs()


def test_runs_are_numbered_as_policies_were_given(results: Path) -> None:
    runs = Kept(results).runs("simulated")
    assert [(run.number, run.policy) for run in runs] == list(enumerate(POLICIES))
    assert runs[0].label == "local (simulated)"
