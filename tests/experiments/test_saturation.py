"""Saturation is told at 110 % load and never at 90 %, by the load offered and by the backlog."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import isnan

import numpy as np
import pytest

from experiments.campaign import Campaign, run_campaign
from experiments.load import capacity_per_s
from experiments.saturation import Evidence, Saturation, Work, evidence, occupied_s, saturation
from experiments.scenarios.loader import load as load_scenario
from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer
from sim.policy import Progress, View
from sim.trace import Trace
from tests.conftest import At, MakeScenario, Scripted, TwoParts, device, small_topology
from topologies.schedules import Schedule
from topologies.serving import Autoscale, Serving
from topologies.topology import Link, Node, Topology
from workloads.arrivals import Closed, Poisson
from workloads.stage import Payload, Request, Stage
from workloads.workload import Workload

HOME = Plan((Compute("edge", (Stage("work", 1e12, 0.0),)),))  # takes one second
SHOWN = Plan((Transfer("edge", "a", Payload("pixels", (0,), fixed_bytes=1e6)),))  # takes one second


@dataclass(frozen=True)
class Exponential:
    """A policy whose computations take an exponential time of one second on average: M/M/1."""

    seed: int

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        del progress, view
        rng = np.random.default_rng([self.seed, request.index])
        return Plan((Compute("edge", (Stage("work", rng.exponential(1e12), 0.0),)),))


def mm1(rng: np.random.Generator, requests: int, load: float) -> Evidence:
    """Return what one replication of an M/M/1 says, its mean service time one second."""
    arrivals_s = np.cumsum(rng.exponential(1 / load, requests))
    services_s = rng.exponential(1.0, requests)
    done_s = np.cumsum(services_s)
    ends_s = done_s + np.maximum.accumulate(arrivals_s - np.concatenate([[0.0], done_s[:-1]]))
    work = Work(small_topology(), requests)
    work.tenths["edge"] = np.array([part.sum() for part in np.array_split(services_s, 10)])
    table = {"arrival_s": arrivals_s, "end_s": ends_s}
    return evidence({"edge": float(done_s[-1])}, work, table)


@pytest.fixture
def judged(make_scenario: MakeScenario):  # type: ignore[no-untyped-def]
    """Return a judge of M/M/1: in what share of ``trials`` it is called saturated."""

    def share(load: float, requests: int, replications: int, trials: int) -> float:
        scenario = make_scenario(
            Scripted((HOME,)), workload=Workload(TwoParts(), Poisson(load), requests)
        )
        rng = np.random.default_rng(20261121)
        found = [
            saturation(scenario, [mm1(rng, requests, load) for _ in range(replications)])
            for _ in range(trials)
        ]
        return float(np.mean([bool(each) for each in found]))

    return share


@pytest.mark.parametrize(
    ("requests", "replications", "trials"), [(400, 1, 300), (400, 10, 60), (4000, 1, 60)]
)
def test_at_90_percent_nothing_is_called_saturated(
    judged, requests: int, replications: int, trials: int
) -> None:
    assert judged(0.9, requests, replications, trials) <= 0.005
    assert judged(0.5, requests, replications, trials) == 0.0


@pytest.mark.parametrize(("requests", "replications"), [(400, 10), (4000, 1)])
def test_at_110_percent_saturation_is_seen(judged, requests: int, replications: int) -> None:
    assert judged(1.1, requests, replications, 60) > 0.95
    assert judged(1.5, requests, replications, 30) == 1.0


def simulated(make_scenario: MakeScenario, load: float, policy: object = None) -> Campaign:
    scenario = make_scenario(
        policy or Scripted((HOME,)),
        workload=Workload(TwoParts(), Poisson(load), 400),
        replications=4,
    )
    return run_campaign(scenario, Simulator())


@pytest.mark.parametrize("load", [0.9, 0.98])
def test_a_simulated_queue_below_capacity_has_figures(
    make_scenario: MakeScenario, load: float
) -> None:
    found = simulated(make_scenario, load)
    assert not found.saturation
    assert found.saturation.load == pytest.approx(load)
    assert found.saturation.busiest == "edge"
    assert found.metrics["p99_s"].mean > 1.0


def test_a_simulated_queue_just_above_capacity_is_saturated_and_has_none(
    make_scenario: MakeScenario,
) -> None:
    found = simulated(make_scenario, 1.02)
    assert found.saturation
    assert found.saturation.reason == "edge is offered 102% of what it can do"
    assert all(isnan(found.metrics[key].mean) for key in ("p50_s", "p99_s", "deadline_met"))
    assert found.metrics["throughput_per_s"].mean == pytest.approx(1.0, abs=0.05)
    assert found.replications[0]["p99_s"] > 1.0  # as it was in that run


@pytest.mark.parametrize(("load", "saturated"), [(0.85, False), (1.2, True)])
def test_services_that_vary_are_judged_by_their_mean(
    make_scenario: MakeScenario, load: float, saturated: bool
) -> None:
    found = simulated(make_scenario, load, Exponential(seed=5)).saturation
    assert bool(found) is saturated
    assert found.load == pytest.approx(load, rel=0.1)


@pytest.mark.parametrize(("load", "saturated"), [(0.9, False), (1.1, True)])
def test_a_channel_can_be_what_is_saturated(
    make_scenario: MakeScenario, load: float, saturated: bool
) -> None:
    found = simulated(make_scenario, load, Scripted((SHOWN,))).saturation
    assert bool(found) is saturated
    assert found.busiest == "edge->router"
    assert found.load == pytest.approx(load)


def test_capacity_is_where_saturation_begins() -> None:
    quick = ["replications=2", "workload.requests=100"]
    capacity = capacity_per_s(load_scenario("jetson-16-clouds", quick, "local"))
    for share, saturated in ((0.97, False), (1.03, True)):
        rate = f"workload.arrivals.rate_per_s={share * capacity}"
        scenario = load_scenario("jetson-16-clouds", [*quick, rate], "local")
        assert bool(run_campaign(scenario, Simulator()).saturation) is saturated


def test_a_backlog_tells_where_capacity_on_paper_does_not(make_scenario: MakeScenario) -> None:
    """A device that is down half of the time is offered 60 % and still cannot keep up."""
    scenario = make_scenario(Scripted((HOME,)), workload=Workload(TwoParts(), Poisson(0.6), 1000))
    arrivals_s = np.cumsum(np.random.default_rng(1).exponential(1 / 0.6, 1000))
    work = Work(small_topology(), 1000)
    for ends_s, reason in (
        (np.arange(1000) * 2.0 + 2.0, "requests in the system grow by 0."),
        (arrivals_s + 1.5, ""),
    ):
        table = {"arrival_s": arrivals_s, "end_s": np.maximum(ends_s, arrivals_s)}
        found = saturation(scenario, [evidence({"edge": 1000.0}, work, table)])
        assert found.load == pytest.approx(0.6)
        assert found.reason.startswith(reason)
        assert bool(found) is bool(reason)


def test_a_device_that_scales_is_judged_by_the_most_slots_it_can_have() -> None:
    scale = Autoscale(target=0.7, max_slots=3, start_up_s=1.0)
    node = Node("edge", "edge", device("d", 1e12), serving=Serving(autoscale=scale))
    trace = Trace("sim", Topology("one", (node,), ()))
    trace.busy_s = {"edge": 12.0}
    assert occupied_s(trace) == {"edge": 4.0}


def test_the_directions_of_a_half_duplex_link_share_its_time() -> None:
    ends = small_topology().nodes[:2]
    for duplex, taken_s in (("full", (3.0, 1.0)), ("half", (4.0, 4.0))):
        link = Link("edge", "router", 8e6, 0.010, duplex=duplex)
        trace = Trace("sim", Topology("two", ends, (link,)))
        trace.carried_bytes = (3e6, 1e6)
        assert tuple(occupied_s(trace).values()) == taken_s


@pytest.mark.parametrize("schedule", [None, Schedule((0.0,), (80e6,))])
def test_a_channel_whose_rate_changes_is_not_judged_by_what_it_was_believed_to_have(
    make_scenario: MakeScenario, schedule: Schedule | None
) -> None:
    small = small_topology()
    access = replace(small.links[0], schedule=schedule)
    faster = replace(small, links=(access, *small.links[1:]))
    scenario = make_scenario(
        Scripted((SHOWN,)),
        workload=Workload(TwoParts(), Poisson(1.5), 400),
        topology=faster,
    )
    found = run_campaign(scenario, Simulator()).saturation
    assert bool(found) is (schedule is None)


def test_without_a_rate_of_its_own_the_arrivals_rate_is_the_observed_one(
    make_scenario: MakeScenario,
) -> None:
    moments_s = [0.5 * number for number in range(101)]
    found = run_campaign(make_scenario(Scripted((HOME,)), moments_s), Simulator()).saturation
    assert found.load == pytest.approx(2.0)
    assert found


@pytest.mark.parametrize("moments_s", [(0.0,), (0.0, 0.0), tuple(range(19))])
def test_a_few_requests_say_nothing(
    make_scenario: MakeScenario, moments_s: Sequence[float]
) -> None:
    slow = Scripted((Plan((Compute("edge", (Stage("work", 9e12, 0.0),)),)),))
    found = run_campaign(make_scenario(slow, moments_s), Simulator()).saturation
    assert not found
    assert isnan(found.load)
    assert isnan(found.growth)


def test_a_closed_loop_is_never_saturated(make_scenario: MakeScenario) -> None:
    """Six clients keep one device busy throughout: it is offered no more than it can do."""
    scenario = make_scenario(Scripted((HOME,)), workload=Workload(TwoParts(), Closed(6), 200))
    found = run_campaign(scenario, Simulator()).saturation
    assert not found
    assert (found.busiest, found.load) == ("edge", pytest.approx(1.0, rel=0.05))


def test_requests_that_all_come_at_once_have_no_rate(make_scenario: MakeScenario) -> None:
    found = run_campaign(make_scenario(Scripted((HOME,)), [3.0] * 50), Simulator()).saturation
    assert (bool(found), found.busiest) == (False, "")


def test_who_is_busy_now_and_then_is_not_called_saturated_by_chance(
    make_scenario: MakeScenario,
) -> None:
    """Of many lightly used devices some look overloaded for a moment; none is called so."""
    names = [f"edge-{number}" for number in range(200)]
    rng = np.random.default_rng(7)
    scenario = make_scenario(Scripted((HOME,)), workload=Workload(TwoParts(), Poisson(1.0), 2000))
    for _ in range(20):
        work = Work(small_topology(), 2000)
        work.tenths.update({name: rng.poisson(1.0, 10).astype(float) for name in names})
        taken_s = {name: 180.0 * float(part.sum()) for name, part in work.tenths.items()}
        table = {"arrival_s": np.arange(2000.0), "end_s": np.arange(2000.0) + 1}
        found = saturation(scenario, [evidence(taken_s, work, table)])
        assert found.load > 1.2
        assert not found


@cache
def no_evidence() -> Evidence:
    return Evidence({}, {}, np.empty(0), 1.0)


def test_where_nothing_was_used_nothing_is_saturated(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(Scripted((HOME,)), workload=Workload(TwoParts(), At(()), 30))
    found = saturation(scenario, [no_evidence()])
    assert found == Saturation("", found.load, found.growth, "")
