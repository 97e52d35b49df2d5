from itertools import islice

import numpy as np
import pytest

from sim.errors import ScenarioError
from sim.faults import Fault, FaultPlan, RandomFaults
from tests.conftest import small_topology
from topologies.errors import TopologyError


def test_scheduled_and_random_faults_come_in_the_order_of_time() -> None:
    plan = FaultPlan(
        schedule=(Fault(5.0, "a", "crash"), Fault(1.0, "a", "leave")),
        random=(RandomFaults("b", "crash", 1.0, 0.1), RandomFaults("a", "slow", 2.0, 1.0, 0.5)),
    )
    events = list(islice(plan.events(np.random.default_rng(1)), 200))
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)
    assert {event.target for event in events} == {"a", "b"}
    assert [event.kind for event in events if event.target == "b"][:4] == [
        "crash", "recover", "crash", "recover",
    ]  # fmt: skip


def test_random_faults_repeat_with_their_seed_and_keep_their_means() -> None:
    process = RandomFaults("a", "crash", mean_up_s=30.0, mean_down_s=10.0)
    first, again = (list(islice(process.events(np.random.default_rng(3)), 4000)) for _ in range(2))
    assert first == again
    times = np.array([event.at_s for event in first])
    down_s = (times[1::2] - times[0::2]).mean()
    up_s = (times[2::2] - times[1:-1:2]).mean()
    assert down_s == pytest.approx(10.0, rel=0.1)
    assert up_s == pytest.approx(30.0, rel=0.1)


def test_what_slows_a_node_is_undone_at_full_speed() -> None:
    process = RandomFaults("a", "slow", 1.0, 1.0, factor=0.25)
    slow, restored = islice(process.events(np.random.default_rng(0)), 2)
    assert (slow.kind, slow.factor) == ("slow", 0.25)
    assert (restored.kind, restored.factor) == ("slow", 1.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Fault(-1.0, "a", "crash"), "at -1.0 is before the start"),
        (lambda: Fault(1.0, "a", "slow", 0.0), "factor 0.0 must be above 0"),
        (lambda: RandomFaults("a", "recover", 1.0, 1.0), "does not begin anything"),
        (lambda: RandomFaults("a", "crash", 0.0, 1.0), "mean_up and mean_down must be above 0"),
        (lambda: FaultPlan(detection_s=-1.0), "detection must be at least 0"),
        (lambda: FaultPlan(timeout_s=0.0), "timeout above 0"),
        (lambda: FaultPlan(plans=0), "plans at least 1"),
        (lambda: FaultPlan(silence_s=0.0), "silence must be above 0"),
    ],
)
def test_an_impossible_fault_is_named(make, words) -> None:
    with pytest.raises(ScenarioError, match=words):
        make()


def test_a_target_that_is_not_there_is_named() -> None:
    with pytest.raises(TopologyError, match="no node 'c'"):
        FaultPlan((Fault(1.0, "c", "crash"),)).check(small_topology())
    with pytest.raises(ScenarioError, match=r"no link 'a->edge'; name it as its ends"):
        FaultPlan((Fault(1.0, "a->edge", "outage"),)).check(small_topology())


def test_no_faults_are_false() -> None:
    assert not FaultPlan()
    assert FaultPlan((Fault(1.0, "a", "crash"),))
