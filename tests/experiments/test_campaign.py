"""A campaign: every replication run, looked at, and summed up."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from math import inf, isnan
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments.campaign import run_campaign
from experiments.metrics import estimate
from experiments.results import ResultFolder
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer
from sim.policy import Progress, View
from sim.runner import Scenario
from sim.tables import Tables
from sim.trace import Outcome, Sink, Trace
from tests.conftest import MakeScenario, Scripted
from workloads.stage import Payload, Request, Stage

SECOND = Stage("work", 1e12, 0.0)
PIXELS = Payload("pixels", (0,), fixed_bytes=1e3)
AT_HOME = Plan((Compute("edge", (SECOND,)),))
SHOWN = Plan((Transfer("edge", "a", PIXELS), Compute("a", (SECOND,), (0,))))


@dataclass(frozen=True)
class InTurn:
    """A policy that takes the next plan for each request, whatever the replication."""

    plans: Iterator[Plan]

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        del request, progress, view
        return next(self.plans)


@dataclass(frozen=True)
class Unlucky:
    """A runner in whose world every second request fails at once."""

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        trace = Trace("real", scenario.topology, sink)
        for request in scenario.requests(replication):
            word = "failed" if request.index % 2 else "finished"
            trace.end(Outcome(request, request.arrival_s + 0.5, word, ""))
        trace.hand_over()
        trace.carried_bytes = (0.0,) * len(scenario.topology.channels)
        trace.end_s = 1.0
        return trace


def test_every_replication_is_run_shown_and_counted(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(Scripted((AT_HOME,)), arrivals_s=(0.0, 5.0), replications=3)
    ticks: list[int] = []
    looked: list[Tables] = []
    campaign = run_campaign(
        scenario, Simulator(), advance=lambda: ticks.append(1), look=looked.append
    )
    assert len(ticks) == 3
    assert [set(tables.requests()["replication"]) for tables in looked] == [{0}, {1}, {2}]
    assert np.array(campaign.latencies_s) == pytest.approx(np.ones((3, 2)))
    assert [row["p50_s"] for row in campaign.replications] == pytest.approx([1.0] * 3)
    assert campaign.metrics["p50_s"].mean == pytest.approx(1.0)
    assert campaign.utilisation["edge"].mean == pytest.approx(2.0 / 6.0)
    assert campaign.scenario == scenario


def test_metrics_are_estimates_over_replications() -> None:
    scenario = load("jetson-16-clouds", ["replications=4", "workload.requests=60"], "local")
    campaign = run_campaign(scenario, Simulator())
    values = [row["p99_s"] for row in campaign.replications]
    assert len(set(values)) == 4
    assert campaign.metrics["p99_s"] == estimate(values)
    assert [len(latencies) for latencies in campaign.latencies_s] == [40] * 4


def test_the_warm_up_counts_for_no_latency(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(Scripted((AT_HOME,)), arrivals_s=(0.0, 0.0, 9.0), warm_up=2)
    campaign = run_campaign(scenario, Simulator())
    assert np.array(campaign.latencies_s) == pytest.approx(np.ones((1, 1)))
    assert campaign.metrics["mean_s"].mean == pytest.approx(1.0)


def test_what_nodes_saw_is_the_most_over_requests_and_replications(
    make_scenario: MakeScenario,
) -> None:
    both = Plan(
        (
            Transfer("edge", "b", Payload("tokens", (0, 1), mixes=True, fixed_bytes=1e3)),
            Transfer("edge", "a", PIXELS),
        )
    )
    policy = InTurn(iter([AT_HOME, SHOWN, SHOWN, both]))
    scenario = make_scenario(policy, arrivals_s=(0.0, 5.0), replications=2)
    seen = run_campaign(scenario, Simulator()).seen
    assert seen.loc["a"].to_dict() == {"provider": "one", "pixels": 0.5, "mixes": False}
    assert seen.loc["b"].to_dict() == {"provider": "two", "pixels": 1.0, "mixes": True}


def test_where_only_one_replication_shows_anything_it_is_seen(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(InTurn(cycle([AT_HOME, SHOWN])), arrivals_s=(0.0,), replications=4)
    campaign = run_campaign(scenario, Simulator())
    assert list(campaign.seen.index) == ["a"]
    assert campaign.metrics["pixels_max_node"].mean == pytest.approx(0.25)


def test_where_nothing_is_shown_nobody_saw_anything(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(Scripted((AT_HOME,)), replications=2)
    assert run_campaign(scenario, Simulator()).seen.empty


def test_a_failed_request_has_an_infinite_latency(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(Scripted((AT_HOME,)), arrivals_s=(0.0, 1.0, 2.0, 3.0))
    campaign = run_campaign(scenario, Unlucky())
    assert campaign.latencies_s == ((0.5, inf, 0.5, inf),)
    assert campaign.metrics["deadline_met"].mean == pytest.approx(0.5)
    assert campaign.metrics["p99_s"].mean == pytest.approx(0.5)
    assert isnan(campaign.metrics["p99_s"].low)


def test_the_folder_gets_every_replication(make_scenario: MakeScenario, tmp_path: Path) -> None:
    scenario = make_scenario(Scripted((SHOWN,)), arrivals_s=(0.0, 5.0), replications=3)
    with ResultFolder(tmp_path / "results") as folder:
        run_campaign(scenario, Simulator(), folder)
        folder.complete("test", {}, ["scripted"])
    requests = pq.read_table(tmp_path / "results" / "requests.parquet").to_pandas()
    assert list(requests["replication"]) == [0, 0, 1, 1, 2, 2]
    assert set(requests["policy"]) == {"scripted"}
