"""Where the time goes, against a request worked out by hand and against every latency."""

import pytest

from experiments.breakdown import breakdown
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer
from sim.policies.registry import POLICIES
from sim.tables import Tables
from tests.conftest import MakeScenario, Scripted
from topologies.topology import Topology
from workloads.stage import Payload, Stage

SECOND = Stage("work", 1e12, 0.0)  # a second on the edge, half of one on a
MEGABYTE = Payload("pixels", (0,), fixed_bytes=1e6)  # a second on the access link, 30 ms to a

ROUND_TRIP = Plan(
    (
        Compute("edge", (SECOND,)),
        Transfer("edge", "a", MEGABYTE, after=(0,)),
        Compute("a", (SECOND,), (1,)),
        Transfer("a", "edge", Payload("tokens", fixed_bytes=1e6), after=(2,)),
    )
)


def test_the_pieces_of_a_request_are_as_worked_out_by_hand(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(Scripted((ROUND_TRIP,)), arrivals_s=(0.0, 0.4))
    trace = Simulator().run(scenario)
    pieces = breakdown(Tables(trace).steps(), scenario.topology)
    assert pieces.loc[0].to_dict() == pytest.approx(
        {
            "edge: work": 1.0,
            "edge: work, waiting": 0.0,
            "edge to cloud: pixels": 1.03,
            "cloud: work": 0.5,
            "cloud to edge: tokens": 1.03,
        }
    )
    assert pieces.loc[1, "edge: work, waiting"] == pytest.approx(0.6)


def test_of_parallel_branches_only_the_last_to_arrive_counts(make_scenario: MakeScenario) -> None:
    plan = Plan(
        (
            Compute("a", (SECOND,)),
            Compute("b", (Stage("slow", 2e12, 0.0),)),
            Compute("edge", (SECOND,), (0, 1)),
        )
    )
    scenario = make_scenario(Scripted((plan,)))
    pieces = breakdown(Tables(Simulator().run(scenario)).steps(), scenario.topology)
    assert pieces.loc[0].to_dict() == pytest.approx({"cloud: slow": 2.0, "edge: work": 1.0})


def test_what_was_cancelled_cost_no_time(make_scenario: MakeScenario) -> None:
    race = Plan(
        (
            Compute("a", (SECOND,)),
            Compute("b", (Stage("loser", 1e12, 0.0),)),
            Compute("edge", (SECOND,), (0, 1), need=1),
        )
    )
    scenario = make_scenario(Scripted((race,)))
    pieces = breakdown(Tables(Simulator().run(scenario)).steps(), scenario.topology)
    assert pieces.loc[0].to_dict() == pytest.approx({"cloud: work": 0.5, "edge: work": 1.0})


@pytest.mark.parametrize("policy", POLICIES)
def test_the_pieces_of_each_request_add_up_to_its_latency(policy: str) -> None:
    settings = ["workload.requests=60", "workload.arrivals.rate_per_s=2", "warm_up=0"]
    scenario = load("jetson-16-clouds", settings, policy)
    tables = Tables(Simulator().run(scenario))
    pieces = breakdown(tables.steps(), scenario.topology)
    latency_s = tables.requests().set_index("request")["latency_s"].sort_index()  # one may overtake
    assert list(pieces.index) == list(latency_s.index)
    assert (pieces >= 0).all(axis=None)
    assert pieces.sum(axis=1).to_numpy() == pytest.approx(latency_s.to_numpy(), abs=1e-9, rel=0)


def test_the_pieces_add_up_over_all_plans_of_a_request(make_scenario: MakeScenario) -> None:
    rounds = (Plan(ROUND_TRIP.steps, completes=False), ROUND_TRIP)
    scenario = make_scenario(Scripted(rounds), arrivals_s=(0.0, 0.1, 0.3))
    tables = Tables(Simulator().run(scenario))
    pieces = breakdown(tables.steps(), scenario.topology)
    latency_s = tables.requests()["latency_s"].to_numpy()
    assert pieces.sum(axis=1).to_numpy() == pytest.approx(latency_s, abs=1e-9, rel=0)


def test_requests_without_steps_have_no_pieces(
    make_scenario: MakeScenario, topology: Topology
) -> None:
    trace = Simulator().run(make_scenario(Scripted((Plan(()),))))
    assert breakdown(Tables(trace).steps(), topology).empty
