"""What is forecast for a plan, against what the simulator makes of it."""

from dataclasses import replace

import pytest

from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer, Wait
from sim.policies.chain import BestSplit, Local
from sim.policies.forecast import forecast_s
from sim.policies.min_cut import MinCut
from sim.policies.sharded import Sharded
from sim.policy import Estimates
from tests.conftest import At, small_topology
from tests.sim.policies.test_chain import plan_for, view_of
from workloads.catalogue import model_named
from workloads.stage import Payload, Stage
from workloads.workload import Workload

SECOND = (Stage("work", 1e12, 0.0),)


def simulated_s(make_scenario, policy, model: str) -> float:
    scenario = make_scenario(policy, workload=Workload(model_named(model), At((0.0,)), 1))
    return Simulator().run(scenario).outcomes[0].latency_s


@pytest.mark.parametrize("policy", [Local(), BestSplit("int8"), MinCut(tail=2)])
def test_a_chain_takes_what_was_forecast(make_scenario, policy) -> None:
    view = view_of(small_topology())
    found_s = forecast_s(plan_for(policy, model_named("sam-vit-b"), view), view)
    assert found_s == pytest.approx(simulated_s(make_scenario, policy, "sam-vit-b"), rel=1e-9)


@pytest.mark.parametrize("mode", ["exact", "deferred", "prefix"])
def test_shards_that_share_links_take_about_as_long(make_scenario, mode) -> None:
    policy, view = Sharded(mode, "round-robin"), view_of(small_topology())
    found_s = forecast_s(plan_for(policy, model_named("sam-vit-b"), view), view)
    assert found_s == pytest.approx(simulated_s(make_scenario, policy, "sam-vit-b"), rel=0.25)


def test_steps_wait_for_what_is_queued_and_for_each_other() -> None:
    busy = view_of(small_topology(), edge=3.0)
    plan = Plan((Compute("edge", SECOND), Compute("edge", SECOND), Compute("b", SECOND)))
    assert forecast_s(plan, busy) == pytest.approx(5.0)


def test_a_join_needs_only_the_first_of_its_steps() -> None:
    view = view_of(small_topology(), b=9.0)
    ends = Compute("a", SECOND), Compute("b", SECOND)
    first = Plan((*ends, Compute("edge", SECOND, (0, 1), need=1)))
    assert forecast_s(Plan((*ends, Compute("edge", SECOND, (0, 1)))), view) == pytest.approx(11.0)
    assert forecast_s(first, view) == pytest.approx(1.5)  # nobody waits for b's step then
    assert forecast_s(Plan(first.steps[:1]), view) == pytest.approx(0.5)


def test_help_that_is_in_time_counts_from_when_it_is_sent_for() -> None:
    view = view_of(small_topology(), b=9.0)
    hedged = Plan((
        Compute("b", SECOND),
        Wait("edge", 2.0),
        Compute("a", SECOND, (1,)),
        Wait("edge", after=(0, 2), need=1),
        Compute("edge", SECOND, (3,)),
    ))  # fmt: skip
    assert forecast_s(hedged, view) == pytest.approx(3.5)


def test_flows_that_are_there_take_their_part() -> None:
    view = view_of(small_topology())
    plan = Plan((Transfer("edge", "a", Payload("pixels", fixed_bytes=1e6)),))
    assert forecast_s(plan, view) == pytest.approx(1.030)  # 8 Mbit at 8 Mbit/s, 30 ms
    shared = replace(view, channel_flows=(1, *view.channel_flows[1:]))
    assert forecast_s(plan, shared) == pytest.approx(2.030)
    rates = (0.0, *view.estimates.channel_bits_per_s[1:])
    out = replace(view, estimates=Estimates(view.topology, view.estimates.cost, rates))
    assert forecast_s(plan, out) == float("inf")
