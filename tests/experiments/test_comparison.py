"""Policies compared on the same requests: what is shown, and what is said where nothing is."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.campaign import Campaign, run_campaign
from experiments.comparison import compare
from experiments.saturation import Saturation
from experiments.statistics.paired import paired_difference
from experiments.statistics.warm_up import WarmUp
from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan
from tests.conftest import MakeScenario, Scripted, TwoParts
from workloads.arrivals import Poisson
from workloads.stage import Stage
from workloads.workload import Workload


@pytest.fixture
def campaign(make_scenario: MakeScenario):  # type: ignore[no-untyped-def]
    """Return a maker of campaigns in which a request takes so long on the edge."""

    def make(service_s: float, name: str = "other", replications: int = 6) -> Campaign:
        plan = Plan((Compute("edge", (Stage("work", service_s * 1e12, 0.0),)),))
        scenario = make_scenario(
            Scripted((plan,)),
            workload=Workload(TwoParts(), Poisson(0.5), 150),
            policy_name=name,
            replications=replications,
            deadline_s=2.0,
        )
        return run_campaign(scenario, Simulator())

    return make


def test_a_policy_that_takes_longer_is_slower_and_the_other_way_round(campaign) -> None:
    slow, fast = campaign(1.1, "slow"), campaign(1.0, "fast")
    (found,) = compare([fast, slow])
    assert (found.policy, found.reference, found.verdict) == ("slow", "fast", "slower")
    (back,) = compare([slow, fast])
    assert back.verdict == "faster"
    for name, difference in found.differences.items():
        assert difference.shown
        assert back.differences[name].estimate.mean == pytest.approx(-difference.estimate.mean)
    assert found.differences["deadline_met"].estimate.mean < 0


def test_differences_are_those_of_each_replication(campaign) -> None:
    slow, fast = campaign(1.1), campaign(1.0)
    (found,) = compare([fast, slow])
    for name in ("p50_s", "p99_s", "deadline_met"):
        ours, theirs = ([row[name] for row in each.replications] for each in (slow, fast))
        assert found.differences[name].estimate == paired_difference(ours, theirs)[0]


def test_a_policy_is_no_different_from_itself(campaign) -> None:
    (found,) = compare([campaign(1.0), campaign(1.0)])
    assert found.verdict == "no difference shown"
    assert [each.p for each in found.differences.values()] == [1.0] * 3


def test_all_questions_asked_together_are_corrected_together(campaign) -> None:
    reference, one, two = campaign(1.0), campaign(1.001, replications=6), campaign(1.2)
    (alone,) = compare([reference, two])
    _, together = compare([reference, one, two])
    for name in alone.differences:
        assert together.differences[name].p >= alone.differences[name].p
    assert together.differences["p99_s"].p > alone.differences["p99_s"].p


def latencies(found: Campaign, change: np.ndarray) -> Campaign:
    """Return the campaign with latencies changed replication by replication."""
    pairs = zip(found.latencies_s, change, strict=True)
    return replace(found, latencies_s=tuple(tuple(np.array(each) + delta) for each, delta in pairs))


def test_a_difference_at_one_quantile_is_told_as_such(campaign) -> None:
    base = campaign(1.0)
    tail = [
        np.where(np.array(each) > np.quantile(each, 0.9), 1.0, 0.0) for each in base.latencies_s
    ]
    (found,) = compare([base, latencies(base, np.array(tail))])
    assert found.verdict == "slower at p99"
    mixed = [slow - 0.1 * (slow == 0) for slow in tail]
    (found,) = compare([base, latencies(base, np.array(mixed))])
    assert found.verdict == "faster at p50, slower at p99"


def test_chance_alone_shows_no_difference(campaign) -> None:
    base = campaign(1.0)
    noise = np.random.default_rng(1).normal(0, 0.01, (6, 1))
    (found,) = compare([base, latencies(base, noise)])
    assert found.verdict == "no difference shown"


def test_only_requests_that_count_for_both_are_compared(campaign) -> None:
    base = campaign(1.0)
    shorter = replace(
        base,
        latencies_s=tuple(each[50:] for each in base.latencies_s),
        warm_up=WarmUp(50),
    )
    for pair in ([base, shorter], [shorter, base]):
        (found,) = compare(pair)
        assert [each.estimate.mean for each in found.differences.values()] == [0.0] * 3


def test_a_saturated_policy_has_no_difference_but_a_verdict(campaign) -> None:
    steady = campaign(1.0)
    flooded = replace(steady, saturation=Saturation("edge", 1.2, 0.1, "edge is offered 120%"))
    for pair, verdict in (
        ([steady, flooded], "slower: saturated"),
        ([flooded, steady], "faster: the other is saturated"),
        ([flooded, flooded], "both saturated"),
    ):
        (found,) = compare(pair)
        assert (found.differences, found.verdict) == ({}, verdict)
