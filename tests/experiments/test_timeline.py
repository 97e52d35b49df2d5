"""Timelines as the Chrome trace format wants them."""

from collections import defaultdict
from typing import Any

import pytest

from experiments.scenarios.loader import load
from experiments.timeline import REQUESTS_SHOWN, timeline_events
from sim.engine.simulator import Simulator
from sim.plan import Compute, Plan, Transfer
from sim.tables import Tables
from tests.conftest import MakeScenario, Scripted, device
from topologies.topology import Node, Topology
from workloads.stage import Payload, Stage

Events = list[dict[str, Any]]
SECOND = Stage("work", 1e12, 0.0)


def of_kind(events: Events, *phases: str) -> Events:
    return [event for event in events if event["ph"] in phases]


def named(events: Events, kind: str) -> dict[int, str]:
    """Return the names given to threads or processes, by thread."""
    return {event["tid"]: event["args"]["name"] for event in events if event["name"] == kind}


def overlaps(events: Events) -> list[tuple[float, float]]:
    """Return where a slice of one thread begins before the one before it has ended."""
    threads: defaultdict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for event in of_kind(events, "X"):
        threads[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    return [
        (end, begin)
        for slices in threads.values()
        for (_, end), (begin, _) in zip(sorted(slices), sorted(slices)[1:], strict=False)
        if begin < end - 1e-3  # a thousandth of a microsecond, the format's resolution
    ]


@pytest.fixture(scope="module", params=["sharded/deferred", "sharded/exact", "offload", "local"])
def events(request: pytest.FixtureRequest) -> Events:
    busy = ["workload.requests=70", "workload.arrivals.rate_per_s=4"]
    scenario = load("jetson-16-clouds", busy, request.param)
    steps = Tables(Simulator().run(scenario)).steps()
    return timeline_events(steps, request.param, 3)


def test_every_event_has_what_the_format_requires(events: Events) -> None:
    assert events
    for event in events:
        assert event["ph"] in ("M", "X", "b", "e")
        assert isinstance(event["name"], str)
        assert type(event["pid"]) is int
        assert type(event["tid"]) is int
        assert event["pid"] == 3
        if event["ph"] == "M":
            assert isinstance(event["args"]["name"], str)
        else:
            assert type(event["ts"]) is float
            assert event["ts"] >= 0
            assert event["cat"] in ("compute", "transfer")
        if event["ph"] == "X":
            assert event["dur"] >= 0


def test_every_thread_and_the_process_have_one_name(events: Events) -> None:
    used = {event["tid"] for event in of_kind(events, "X", "b", "e")}
    names = [event["tid"] for event in events if event["name"] == "thread_name"]
    assert sorted(names) == sorted(used)
    assert len(set(named(events, "thread_name").values())) == len(used)
    assert len([event for event in events if event["name"] == "process_name"]) == 1


def test_transfers_begin_and_end_in_pairs(events: Events) -> None:
    begun = {event["id"]: event for event in of_kind(events, "b")}
    ended = {event["id"]: event for event in of_kind(events, "e")}
    assert begun.keys() == ended.keys()
    assert len(begun) == len(of_kind(events, "b")) == len(of_kind(events, "e"))
    for identity, begin in begun.items():
        end = ended[identity]
        assert begin["ts"] <= end["ts"]
        assert all(begin[key] == end[key] for key in ("cat", "name", "pid", "tid", "args"))


def test_computations_of_one_thread_follow_one_another(events: Events) -> None:
    assert of_kind(events, "X")
    assert overlaps(events) == []


def test_only_the_first_requests_are_shown(events: Events) -> None:
    shown = {event["args"]["request"] for event in of_kind(events, "X", "b")}
    assert shown == set(range(REQUESTS_SHOWN))


def test_times_are_in_microseconds(make_scenario: MakeScenario) -> None:
    plan = Plan(
        (
            Compute("edge", (SECOND,)),
            Transfer("edge", "a", Payload("pixels", (0,), fixed_bytes=1e6), after=(0,)),
        )
    )
    steps = Tables(Simulator().run(make_scenario(Scripted((plan,)), (0.5,)))).steps()
    compute, begin, end = of_kind(timeline_events(steps, "p", 1), "X", "b", "e")
    assert (compute["ts"], compute["dur"]) == pytest.approx((0.5e6, 1e6))
    assert (begin["ts"], end["ts"]) == pytest.approx((1.5e6, 2.53e6))
    assert compute["args"] == {"request": 0, "step": 0, "outcome": "finished"}


def test_each_slot_of_a_device_is_a_thread(make_scenario: MakeScenario) -> None:
    wide = Topology("wide", (Node("edge", "edge", device("three", 1e12, slots=3)),), ())
    plan = Plan((Compute("edge", (SECOND,)),))
    scenario = make_scenario(Scripted((plan,)), arrivals_s=(0.0, 0.1, 0.2, 0.3, 5.0), topology=wide)
    events = timeline_events(Tables(Simulator().run(scenario)).steps(), "p", 1)
    assert sorted(named(events, "thread_name").values()) == ["edge", "edge (2)", "edge (3)"]
    assert len(of_kind(events, "X")) == 5
    assert overlaps(events) == []


def test_what_was_cancelled_in_a_queue_does_not_show(make_scenario: MakeScenario) -> None:
    # The edge is busy for 1 s; its second step waits until a is done at 0.5 s, and never runs.
    plan = Plan(
        (
            Compute("edge", (SECOND,)),
            Compute("edge", (Stage("needless", 1e12, 0.0),)),
            Compute("a", (SECOND,)),
            Compute("a", (SECOND,), (1, 2), need=1),
            Compute("edge", (SECOND,), (0, 3)),
        )
    )
    events = timeline_events(
        Tables(Simulator().run(make_scenario(Scripted((plan,))))).steps(), "p", 1
    )
    assert "needless" not in {event["name"] for event in events}
    assert len(of_kind(events, "X")) == 4
    assert overlaps(events) == []


def test_no_steps_make_no_events(make_scenario: MakeScenario) -> None:
    steps = Tables(Simulator().run(make_scenario(Scripted((Plan(()),))))).steps()
    assert timeline_events(steps, "p", 1) == []
