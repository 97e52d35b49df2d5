"""Replications until an interval is narrow: as many as it takes, no fewer, never more than told."""

from dataclasses import replace

import pytest

from experiments.campaign import Replications, run_campaign
from experiments.sequential import LEAST, Target, run_until
from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan
from sim.runner import Scenario
from tests.conftest import MakeScenario, Scripted, TwoParts
from workloads.arrivals import Poisson
from workloads.stage import Stage
from workloads.workload import Workload


@pytest.fixture
def queue(make_scenario: MakeScenario) -> Scenario:
    plan = Plan((Compute("edge", (Stage("work", 1e12, 0.0),)),))
    return make_scenario(
        Scripted((plan,)), workload=Workload(TwoParts(), Poisson(0.6), 120), replications=2
    )


def replications(scenario: Scenario) -> Replications:
    return Replications(scenario, Simulator())


def test_it_stops_at_the_first_number_that_is_narrow_enough(queue: Scenario) -> None:
    target = Target(0.05, "mean")
    (found,) = run_until([replications(queue)], target)
    count = found.scenario.replications
    assert LEAST < count < target.most
    assert target.met_by(found)
    assert found.metrics["mean_s"].half_width <= 0.05 * found.metrics["mean_s"].mean
    one_fewer = run_campaign(replace(queue, replications=count - 1), Simulator())
    assert not target.met_by(one_fewer)


def test_it_is_the_same_as_having_asked_for_as_many(queue: Scenario) -> None:
    (found,) = run_until([replications(queue)], Target(0.05, "mean"))
    again = run_campaign(found.scenario, Simulator())
    assert again.metrics == found.metrics
    assert again.latencies_s == found.latencies_s


def test_a_wider_target_takes_fewer(queue: Scenario) -> None:
    counts = [
        run_until([replications(queue)], Target(width, "mean"))[0].scenario.replications
        for width in (0.04, 0.06, 0.9)
    ]
    assert counts[0] > counts[1] > counts[2] == LEAST


def test_it_gives_up_at_the_bound(queue: Scenario) -> None:
    ticks: list[int] = []
    target = Target(0.001, "p99", most=7)
    (found,) = run_until([replications(queue)], target, lambda: ticks.append(1))
    assert (found.scenario.replications, len(ticks)) == (7, 7)
    assert not target.met_by(found)
    assert target.width(found) > 0.001


def test_all_policies_run_until_the_last_is_narrow_enough(queue: Scenario) -> None:
    calm = replace(queue, policy=Scripted((Plan((Compute("edge", (Stage("s", 1e9, 0.0),)),)),)))
    found = run_until([replications(calm), replications(queue)], Target(0.05, "mean"))
    assert {each.scenario.replications for each in found} == {
        run_until([replications(queue)], Target(0.05, "mean"))[0].scenario.replications
    }


def test_a_saturated_policy_is_not_waited_for(queue: Scenario) -> None:
    plan = Plan((Compute("edge", (Stage("work", 3e12, 0.0),)),))
    flooded = replace(queue, policy=Scripted((plan,)))
    (found,) = run_until([replications(flooded)], Target(0.001))
    assert found.saturation
    assert found.scenario.replications == LEAST


def test_figures_without_spread_are_narrow_even_if_they_are_zero(queue: Scenario) -> None:
    impossible = replace(queue, deadline_s=1e-6)
    (found,) = run_until([replications(impossible)], Target(0.001, "deadline-met"))
    assert found.scenario.replications == LEAST


def test_it_begins_with_as_many_as_the_scenario_asks_for(queue: Scenario) -> None:
    (found,) = run_until([replications(replace(queue, replications=9))], Target(0.9, "p50"))
    assert found.scenario.replications == 9
