"""What is learnt from transfers, when beliefs are replaced, and how old a view is."""

import time
from itertools import pairwise

import pytest

from real_runner.orchestration.beliefs import PATIENCE_S, Beliefs, ChannelMeter
from real_runner.orchestration.books import Books
from real_runner.orchestration.clock import Clock
from real_runner.orchestration.flight import Flight
from real_runner.orchestration.observer import Observer
from real_runner.orchestration.tickets import Tickets
from sim.cost import Roofline
from sim.plan import Compute, Plan, Transfer
from sim.policy import UNTOUCHED
from sim.runner import Scenario
from sim.trace import FINISHED, HAS_FINISHED, WAS_CANCELLED, WAS_LOST, Outcome
from tests.conftest import At, Scripted, TwoParts, small_topology
from workloads.stage import Payload, Request, Stage
from workloads.workload import Workload

LARGE = Payload("pixels", (0,), fixed_bytes=1e6)
UP = Transfer("edge", "a", LARGE)
SECOND = Stage("second", 1e12, 0.0)


def beliefs() -> Beliefs:
    return Beliefs(small_topology(), Roofline())


def carry(believed: Beliefs, end_s: float, bits_per_s: float, size_bytes: float = 1e6) -> None:
    """Report a transfer from the edge to a, alone on its way of 30 ms, at a rate."""
    took_s = 0.03 + size_bytes * 8 / bits_per_s
    believed.carried(UP, end_s - took_s, end_s, size_bytes)


def test_a_rate_is_what_was_delivered_while_a_transfer_was_under_way() -> None:
    meter = ChannelMeter()
    meter.add(0.0, 1.1, 1e5, 0.1)
    assert meter.bits_per_s == pytest.approx(8e5)
    meter.add(0.5, 2.1, 1e5, 0.1)  # shared with one that ended meanwhile
    assert meter.bits_per_s == pytest.approx(2e5 * 8 / 1.5)


def test_small_transfers_tell_nothing_of_rates() -> None:
    meter = ChannelMeter()
    meter.add(0.0, 9.0, 1e3, 0.1)
    assert meter.bits_per_s is None
    meter.add(0.0, 0.05, 1e6, 0.1)  # shorter than the delay: a clock is wrong
    assert meter.bits_per_s is None


@pytest.mark.parametrize(
    ("factor", "replaced"), [(1.2, False), (1.3, True), (0.8, False), (0.7, True)]
)
def test_beliefs_are_replaced_only_when_wrong_by_a_quarter(factor: float, replaced: bool) -> None:
    believed = beliefs()
    for channel in believed._topology.route("edge", "a").channels:
        believed._nominal = tuple(
            8e6 if index == channel else rate for index, rate in enumerate(believed._nominal)
        )
    believed._replace(believed._nominal, frozenset(), {})
    before = believed.estimates
    carry(believed, 2.0, 8e6 * factor)
    assert (believed.estimates is not before) is replaced
    if replaced:
        way = believed.estimates.way("edge", "a")
        assert way.bits_per_s == pytest.approx(8e6 * factor)
        assert believed.estimates.way("edge", "b").bits_per_s == pytest.approx(8e6 * factor), (
            "the link that both take"
        )


def test_beliefs_are_not_replaced_all_the_time() -> None:
    believed = beliefs()
    seen = []
    for number in range(30):
        carry(believed, 2.0 + number * 0.1, 1e6 * 1.5**number)
        if not seen or seen[-1][1] is not believed.estimates:
            seen.append((2.0 + number * 0.1, believed.estimates))
    assert len(seen) >= 3
    assert all(b[0] - a[0] >= PATIENCE_S - 1e-9 for a, b in pairwise(seen))


def test_the_quickest_small_transfer_tells_the_delay() -> None:
    believed = beliefs()
    assert believed.estimates.way("edge", "a").delay_s == pytest.approx(0.03)
    for took_s in (0.3, 0.1, 0.2):
        believed.carried(UP, 5.0, 5.0 + took_s, 1.0)
    believed.reconsider(9.0)
    assert believed.estimates.way("edge", "a").delay_s == pytest.approx(0.1)
    assert believed.estimates.way("a", "edge").delay_s == pytest.approx(0.03)


def test_who_is_down_and_what_is_out_is_believed_at_once() -> None:
    believed = beliefs()
    before = believed.estimates
    believed.set_down(frozenset())
    believed.set_out(frozenset())
    assert believed.estimates is before
    believed.set_down(frozenset({"a"}))
    assert not believed.estimates.is_up("edge", "a")
    believed.set_out(frozenset(believed._topology.route("edge", "b").channels[-1:]))
    assert not believed.estimates.is_up("edge", "b")
    assert not believed.estimates.is_up("edge", "a"), "still"
    believed.set_down(frozenset())
    believed.set_out(frozenset())
    assert believed.estimates.is_up("edge", "a")
    assert believed.estimates.is_up("edge", "b")
    assert believed.estimates.channel_bits_per_s == before.channel_bits_per_s


def scenario(**changes: object) -> Scenario:
    values = {
        "name": "test", "topology": small_topology(), "policy": Scripted(()),
        "policy_name": "scripted", "workload": Workload(TwoParts(), At((0.0,)), 1),
        "origins": ("edge",), "deadline_s": 1.0,
    }  # fmt: skip
    return Scenario(**(values | changes))


def test_a_fresh_view_shows_what_is_under_way_now() -> None:
    observer = Observer(scenario(), Clock())
    observer.take()
    compute = Compute("a", (SECOND,))
    observer.load(compute, 0.5)
    observer.load(UP, 0.0)
    view = observer.view()
    assert view.age_s == 0.0
    assert view.backlog_s == {"edge": 0.0, "a": 0.5, "b": 0.0}
    assert sum(view.channel_flows) == 2
    observer.load(compute, 0.5, -1)
    observer.load(UP, 0.0, -1)
    assert observer.view().backlog_s["a"] == 0.0
    assert sum(observer.view().channel_flows) == 0


def test_a_view_is_as_old_as_the_scenario_says_or_a_little_older() -> None:
    observer = Observer(scenario(view_age_s=0.1), Clock())
    observer.take()
    observer.load(Compute("a", (SECOND,)), 0.5)
    assert observer.view().backlog_s["a"] == 0.0, "the oldest there is"
    taken_s: list[float] = []
    while not taken_s or time.monotonic() - taken_s[0] < 0.3:
        taken_s.append(time.monotonic())
        observer.take()
        time.sleep(0.01)
    old_enough_s = [moment_s for moment_s in taken_s if moment_s <= time.monotonic() - 0.1]
    view = observer.view()
    # The newest that is old enough, or the one before it, should that have been taken late.
    assert 0.1 <= view.age_s <= time.monotonic() - old_enough_s[-2]
    assert view.backlog_s["a"] == 0.5
    assert len(observer._taken) < 16, "older ones are forgotten"


def flight(plan: Plan, index: int = 0, attempt: int = 0) -> Flight:
    request = Request(index, 0.0, "edge", TwoParts())
    progress = UNTOUCHED.__class__(plans=attempt)
    return Flight(request, plan, progress, (), index)


def test_a_request_is_settled_once_and_after_the_last_of_its_plans() -> None:
    tickets = Tickets()
    tickets.expect(2)
    plan = Plan((Compute("a", (SECOND,)),))
    first, second = flight(plan), flight(plan, attempt=1)
    tickets.open(first)
    tickets.open(second)
    outcome = Outcome(first.request, 1.0, FINISHED, "")
    assert tickets.settled(0) is None
    tickets.conclude(outcome)
    assert tickets.flights_of(0) == [first, second]
    assert (tickets.close(second), tickets.close(second)) == (True, False)
    assert tickets.settled(0) is None
    assert tickets.close(first)
    assert tickets.settled(0) is outcome
    assert tickets.settled(0) is None
    assert not tickets.all_settled
    tickets.conclude(Outcome(flight(plan, 1).request, 2.0, FINISHED, ""))
    assert tickets.settled(1)
    assert tickets.all_settled


def test_books_count_what_was_used_whatever_became_of_it() -> None:
    plan = Plan((Compute("a", (SECOND,)), UP, UP, UP, Compute("b", (SECOND,))))
    one = flight(plan)
    one.states[:] = bytes((WAS_CANCELLED, HAS_FINISHED, WAS_LOST, WAS_CANCELLED, 0))
    one.start_s[0], one.end_s[0], one.end_s[4] = 1.0, 1.5, 99.0
    one.used |= {2: 1000.0}
    books = Books(small_topology())
    books.book(one)
    assert books.busy_s == {"edge": 0.0, "a": 0.5, "b": 0.0}
    assert sorted(books.carried_bytes)[-2:] == [1e6 + 1000.0] * 2
    assert sum(books.carried_bytes) == 2 * (1e6 + 1000.0)


def test_books_know_for_how_long_nodes_were_off() -> None:
    books = Books(small_topology())
    books.switch(frozenset({"a"}), 1.0)
    books.switch(frozenset({"a", "b"}), 2.0)
    books.switch(frozenset({"b"}), 4.0)
    assert books.off_s(5.0) == {"a": 3.0, "b": 3.0}
    books.switch(frozenset({"a", "b"}), 6.0)
    assert books.off_s(7.0) == {"a": 4.0, "b": 5.0}
