"""Flows in simulated time, against hand-worked cases and the specification of fair sharing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine.clock import Clock
from sim.engine.network import Network
from sim.engine.sharing import max_min_rates


class Finishes(dict):
    """The time at which each named flow was done."""

    def __init__(self, capacities, start_s=0.0, media=None):
        self.clock = Clock(start_s)
        self.network = Network(self.clock, capacities, media)

    def start(self, name, route, size_bytes, delay_s=0.0, weight=1.0, cap=math.inf):
        return self.network.start(route, size_bytes, delay_s, self._done, name, weight, cap)

    def start_at(self, when_s, *args, **kwargs):
        self.clock.at(when_s, lambda _: self.start(*args, **kwargs), None)

    def _done(self, name):
        self[name] = self.clock.now

    def run(self):
        self.clock.run()
        return dict(self)


def test_parking_lot():
    world = Finishes([10.0, 20.0])
    world.start("long", (0, 1), 100.0)
    world.start("first", (0,), 100.0)
    world.start("second", (1,), 100.0)
    assert world.run() == pytest.approx({"long": 20.0, "first": 20.0, "second": 20 / 3}, rel=1e-15)


def test_parking_lot_is_not_what_equal_shares_per_link_would_give():
    world = Finishes([10.0, 20.0])
    for name, route in {"long": (0, 1), "first": (0,), "second": (1,)}.items():
        world.start(name, route, 100.0)
    assert world.run()["second"] != pytest.approx(10.0, rel=1e-9)


@given(st.floats(1e-9, 10), st.floats(1, 1e12), st.floats(1, 1e12), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_an_idle_path_takes_delay_plus_bytes_over_rate(delay_s, size_bytes, rate, hops):
    world = Finishes([rate] * hops)
    world.start("only", tuple(range(hops)), size_bytes, delay_s)
    assert world.run()["only"] == pytest.approx(delay_s + size_bytes / rate, rel=1e-15)


def test_delay_comes_first_and_occupies_nothing():
    world = Finishes([10.0])
    world.start("near", (0,), 100.0)
    world.start("far", (0,), 100.0, delay_s=5.0)
    # Alone until 5, when 50 are left; each then gets 5/s; near ends at 15, far's last 50 at 20.
    assert world.run() == {"near": 15.0, "far": 20.0}


@pytest.mark.parametrize(("route", "size_bytes"), [((), 1e6), ((0,), 0.0), ((), 0.0)])
def test_nothing_to_share_takes_just_the_delay(route, size_bytes):
    world = Finishes([10.0])
    world.start("delayed", route, size_bytes, delay_s=0.25)
    world.start("at once", route, size_bytes)
    assert world == {}
    assert world.run() == {"at once": 0.0, "delayed": 0.25}
    assert world.network.carried_bytes == [0.0]


def test_simultaneous_flows_end_together_and_in_order_of_start():
    world = Finishes([8.0, 100.0, 100.0])
    for index in range(16):
        world.start(index, (0, 1 + index % 2), 3.0)
    assert list(world.run()) == list(range(16))
    assert list(world.values()) == pytest.approx([6.0] * 16, rel=1e-15)


def test_weights_share_in_proportion():
    world = Finishes([12.0])
    world.start("one", (0,), 20.0, weight=1.0)
    world.start("three", (0,), 90.0, weight=3.0)
    # 3/s and 9/s until one ends at 20/3 with 30 left of three, which then gets 12/s.
    assert world.run() == pytest.approx({"one": 20 / 3, "three": 20 / 3 + 2.5}, rel=1e-15)


def test_weights_on_one_route_and_another_bottleneck():
    world = Finishes([12.0, 2.0])
    slow = world.start("slow", (0, 1), 10.0, weight=5.0)
    light = world.start("light", (0,), 100.0, weight=1.0)
    heavy = world.start("heavy", (0,), 100.0, weight=4.0)
    rates = [world.network.rate(flow) for flow in (slow, light, heavy)]
    assert rates == pytest.approx([2.0, 2.0, 8.0], rel=1e-15)


def test_a_cap_leaves_the_rest_to_the_others():
    world = Finishes([12.0])
    capped = world.start("capped", (0,), 20.0, cap=2.0)
    free = world.start("free", (0,), 100.0)
    assert (world.network.rate(capped), world.network.rate(free)) == (2.0, 10.0)
    assert world.run() == {"capped": 10.0, "free": 10.0}


def test_a_cap_is_on_the_flow_whatever_its_weight():
    world = Finishes([12.0])
    heavy = world.start("heavy", (0,), 100.0, weight=5.0, cap=3.0)
    others = [world.start(name, (0,), 100.0, weight=name) for name in (1.0, 2.0)]
    rates = [world.network.rate(flow) for flow in (heavy, *others)]
    assert rates == pytest.approx([3.0, 3.0, 6.0], rel=1e-15)


def test_a_cap_above_the_fair_share_changes_nothing():
    world = Finishes([12.0, 100.0])
    flows = [world.start(cap, (0, 1), 60.0, cap=cap) for cap in (4.0, 5.0, math.inf)]
    assert [world.network.rate(flow) for flow in flows] == pytest.approx([4.0] * 3, rel=1e-15)


def test_weighted_shares_with_caps_and_two_bottlenecks_worked_out_by_hand():
    """Long (weight 1) over both links; a (2), capped at 3, on the first; b (3) on the second.

    The second link is full first: 8 / 4 per weight. Of the first 10 that leaves 8 for a, which
    would be 2 · 4, but may have 3. A cap of 1 on long then gives b 7 and leaves a at its 3.
    """
    world = Finishes([10.0, 8.0])
    flows = [
        world.start("long", (0, 1), 1e3),
        world.start("a", (0,), 1e3, weight=2.0, cap=3.0),
        world.start("b", (1,), 1e3, weight=3.0),
    ]
    rates = [world.network.rate(flow) for flow in flows]
    assert rates == pytest.approx([2.0, 3.0, 6.0], rel=1e-15)
    world.network.set_cap(flows[0], 1.0)
    rates = [world.network.rate(flow) for flow in flows]
    assert rates == pytest.approx([1.0, 3.0, 7.0], rel=1e-15)
    world.network.set_cap(flows[1], math.inf)
    rates = [world.network.rate(flow) for flow in flows]
    assert rates == pytest.approx([1.0, 9.0, 7.0], rel=1e-15)


def test_a_cap_may_change_under_way_come_late_and_be_lifted():
    world = Finishes([10.0])
    flow = world.start("flow", (0,), 100.0)
    for when_s, cap in [(2.0, 5.0), (4.0, 0.0), (7.0, 2.5), (9.0, math.inf)]:
        world.clock.at(when_s, lambda cap: world.network.set_cap(flow, cap), cap)
    # 20 by 2, 30 by 4 and still by 7, 35 by 9, the other 65 by 15.5.
    assert world.run() == pytest.approx({"flow": 15.5}, rel=1e-15)
    assert world.network.carried_bytes == pytest.approx([100.0], rel=1e-15)


def test_a_flow_that_waits_may_be_capped_uncapped_and_cancelled():
    world = Finishes([10.0])
    flows = [world.start(name, (0,), 10.0, delay_s=1.0, cap=1.0) for name in "abc"]
    world.network.set_cap(flows[0], 2.0)
    world.network.set_cap(flows[1], math.inf)
    assert world.network.cancel(flows[2])
    assert world.run() == pytest.approx({"b": 1.0 + 10 / 8, "a": 6.0}, rel=1e-15)


def test_caps_of_flows_that_are_over_or_need_no_link_do_not_matter():
    world = Finishes([10.0])
    nowhere, over = world.start("nowhere", (), 5.0, 1.0), world.start("over", (0,), 10.0)
    world.network.set_cap(nowhere, 1.0)
    world.clock.run(until=1.5)
    world.network.set_cap(over, 1.0)
    assert world == {"over": 1.0, "nowhere": 1.0}


@pytest.mark.parametrize("cap", [-1.0, math.nan])
def test_impossible_caps_are_refused(cap):
    network = Network(Clock(), [1.0])
    with pytest.raises(ValueError, match="cap_bytes_per_s is"):
        network.start((0,), 1.0, 0.0, print, None, 1.0, cap)
    with pytest.raises(ValueError, match="cap_bytes_per_s is"):
        network.set_cap(network.start((0,), 1.0, 0.0, print, None), cap)


def test_links_of_capped_flows_are_used_again():
    world = Finishes([10.0])
    for name in range(1000):
        world.start_at(name, name, (0,), 5.0, cap=7.0)
    assert len(world.run()) == 1000
    assert len(world.network._links) <= 3
    assert world.network.carried_bytes == pytest.approx([5000.0], rel=1e-15)


def test_channels_of_one_medium_share_it():
    world = Finishes([10.0, 6.0], media=[0, 0, 1])
    there, back = world.start("there", (0, 2), 20.0), world.start("back", (1,), 30.0)
    assert (world.network.rate(there), world.network.rate(back)) == (5.0, 5.0)
    assert world.network.active_flows == [1, 1, 1]
    assert world.run() == {"there": 4.0, "back": 5.0}
    assert world.network.carried_bytes == [20.0, 30.0, 20.0]


def test_a_route_uses_a_medium_once():
    with pytest.raises(ValueError, match="none twice"):
        Network(Clock(), [10.0], [0, 0]).start((0, 1), 1.0, 0.0, print, None)


def test_a_later_flow_slows_the_first_and_a_cancelled_one_frees_its_share():
    world = Finishes([10.0])
    world.start("first", (0,), 100.0)
    second = world.start("second", (0,), 100.0, delay_s=2.0)
    world.clock.at(6.0, world.network.cancel, second)
    # 20 by 2, 20 more by 6, the other 60 alone by 12.
    assert world.run() == {"first": 12.0}
    assert world.network.carried_bytes == pytest.approx([120.0], rel=1e-15)


def test_cancelling_tells_whether_there_was_anything_to_cancel():
    world = Finishes([10.0])
    waiting = world.start("waiting", (0,), 10.0, delay_s=1.0)
    nothing = world.start("nothing", (), 0.0, delay_s=1.0)
    ended = world.start("ended", (0,), 5.0)
    world.clock.run(until=0.75)
    assert [world.network.cancel(flow) for flow in (waiting, nothing, ended)] == [True, True, False]
    assert [world.network.cancel(flow) for flow in (waiting, nothing)] == [False, False]
    assert world.run() == {"ended": 0.5}
    assert world.clock.now == 0.75
    assert world.network.carried_bytes == [5.0]


def test_a_done_flow_may_start_the_next_in_its_instant():
    clock, ends = Clock(), []
    network = Network(clock, [10.0])

    def done(left):
        ends.append(clock.now)
        if left:
            network.start((0,), 10.0, 0.0, done, left - 1)

    network.start((0,), 10.0, 0.0, done, 3)
    clock.run()
    assert ends == [1.0, 2.0, 3.0, 4.0]


def test_capacity_may_change_under_way_and_an_outage_only_pauses():
    world = Finishes([10.0])
    world.start("flow", (0,), 100.0)
    for when_s, capacity in [(2.0, 20.0), (3.0, 0.0), (7.0, 30.0)]:
        world.clock.at(when_s, lambda rate: world.network.set_capacity(0, rate), capacity)
    # 20 by 2, 40 by 3 and still by 7, the other 60 by 9.
    assert world.run() == pytest.approx({"flow": 9.0}, rel=1e-15)


def test_rates_are_right_within_the_instant_of_a_change():
    world = Finishes([10.0])
    flow = world.start("flow", (0,), 100.0)
    assert world.network.rate(flow) == 10.0
    other = world.start("other", (0,), 100.0)
    assert (world.network.rate(flow), world.network.rate(other)) == (5.0, 5.0)
    world.network.cancel(other)
    assert (world.network.rate(flow), world.network.rate(other)) == (10.0, 0.0)
    assert world.run() == {"flow": 10.0}


def test_active_flows_and_carried_bytes_per_channel():
    world = Finishes([10.0, 5.0, 1.0])
    world.start("a", (0, 1), 10.0)
    world.start("b", (0, 1), 100.0)
    world.start("c", (0,), 100.0)
    world.start("later", (2,), 100.0, delay_s=50.0)
    assert world.network.active_flows == [3, 2, 0]
    world.clock.run(until=2.0)
    assert world.network.carried_bytes == pytest.approx([20.0, 10.0, 0.0], rel=1e-15)
    world.run()
    assert world.network.active_flows == [0, 0, 0]
    assert world.network.carried_bytes == [210.0, 110.0, 100.0]


@pytest.mark.parametrize(
    ("route", "size_bytes", "delay_s", "weight", "named"),
    [
        ((0,), -1.0, 0.0, 1.0, "size_bytes is -1.0"),
        ((0,), math.nan, 0.0, 1.0, "size_bytes is nan"),
        ((0,), math.inf, 0.0, 1.0, "size_bytes is inf"),
        ((0,), 1.0, -0.5, 1.0, "delay_s -0.5"),
        ((0,), 1.0, 0.0, 0.0, "weight 0.0"),
        ((2,), 1.0, 0.0, 1.0, r"route \(2,\) must name channels from 0 to 1"),
        ((-1,), 1.0, 0.0, 1.0, r"route \(-1,\)"),
        ((0, 1, 0), 1.0, 0.0, 1.0, "none twice"),
    ],
)
def test_impossible_flows_are_refused(route, size_bytes, delay_s, weight, named):
    network = Network(Clock(), [1.0, 1.0])
    with pytest.raises(ValueError, match=named):
        network.start(route, size_bytes, delay_s, print, None, weight)


@pytest.mark.parametrize("capacity", [-1.0, math.nan, math.inf])
def test_impossible_capacities_are_refused(capacity):
    with pytest.raises(ValueError, match="channel 1: capacity is"):
        Network(Clock(), [1.0, capacity])
    network = Network(Clock(), [1.0, 1.0])
    with pytest.raises(ValueError, match="channel 1: capacity is"):
        network.set_capacity(1, capacity)


def test_work_long_done_costs_no_precision():
    """A link that was never idle for long still finishes flows to the last bit but few."""
    world = Finishes([1e9])
    world.start("background", (0,), 4e13)
    world.start_at(30_000.0, "late", (0,), 1e3)
    assert world.run()["late"] == pytest.approx(30_000.0 + 2e-6, rel=1e-15)


def test_cancelled_flows_leave_no_clutter():
    world = Finishes([1.0])
    world.start("long", (0,), 1e9)
    for _ in range(2000):
        first, second = (world.start("never", (0,), 1e6) for _ in range(2))
        world.network.cancel(second)
        world.network.cancel(first)
    bundle = world.network._by_route[(0,)]
    assert len(bundle.heap) < 100
    assert len(bundle.bottleneck.heap) < 100
    world.clock.run(until=1.0)
    assert len(world.clock.agenda.heap) <= 2


# What follows drives random worlds, and asks the specification after each step.

CAPACITY = st.one_of(st.sampled_from([1.0, 2.0, 10.0]), st.floats(0.1, 50.0))
WEIGHT = st.one_of(st.just(1.0), st.sampled_from([0.1, 0.3, 2.0]), st.floats(0.01, 5.0))
CAP = st.one_of(st.just(math.inf), st.sampled_from([0.5, 1.0, 3.0]), st.floats(0.01, 20.0))
SIZE = st.one_of(st.sampled_from([1.0, 5.0, 10.0]), st.floats(0.01, 100.0))


@st.composite
def histories(draw):
    links = draw(st.integers(1, 8))
    capacities = draw(st.lists(CAPACITY, min_size=links, max_size=links))
    route = st.lists(st.integers(0, links - 1), min_size=1, max_size=4, unique=True).map(tuple)
    routes = draw(st.lists(route, min_size=1, max_size=12))
    start = st.tuples(
        st.just("start"), st.sampled_from(routes), SIZE, WEIGHT, st.sampled_from([0.0, 0.0, 0.5]),
        st.just(math.inf) | CAP,
    )  # fmt: skip
    cap = st.tuples(st.just("cap"), st.integers(0, 10_000), st.just(0.0) | CAP)
    cancel = st.tuples(st.just("cancel"), st.integers(0, 10_000))
    change = st.tuples(st.just("change"), st.integers(0, links - 1), st.just(0.0) | CAPACITY)
    wait = st.tuples(st.just("wait"), st.sampled_from([1e-3, 0.1, 1.0, 5.0]))
    step = st.one_of(start, start, start, wait, wait, cancel, change, cap)
    return capacities, draw(st.lists(step, min_size=1, max_size=60))


class Rehearsal:
    """Drives a network through a history and knows what must come out of it."""

    def __init__(self, capacities):
        self.capacities = list(capacities)
        self.clock = Clock()
        self.network = Network(self.clock, capacities)
        self.live, self.caps, self.sizes = {}, {}, {}
        self.ended_bytes = [0.0] * len(capacities)

    def do(self, name, step):
        if step[0] == "start":
            _, route, size_bytes, weight, delay_s, cap = step
            flow = self.network.start(route, size_bytes, delay_s, self.done, name, weight, cap)
            self.live[name] = flow, route, weight
            self.caps[name], self.sizes[name] = cap, size_bytes
        elif step[0] == "cancel" and self.live:
            keys = list(self.live)
            assert self.network.cancel(self.live.pop(keys[step[1] % len(keys)])[0])
        elif step[0] == "cap" and self.live:
            keys = list(self.live)
            chosen = keys[step[1] % len(keys)]
            self.caps[chosen] = step[2]
            self.network.set_cap(self.live[chosen][0], step[2])
        elif step[0] == "change":
            self.capacities[step[1]] = step[2]
            self.network.set_capacity(step[1], step[2])
        elif step[0] == "wait":
            self.clock.run(until=self.clock.now + step[1])

    def done(self, name):
        _, route, _ = self.live.pop(name)
        for link in route:
            self.ended_bytes[link] += self.sizes[name]

    def check_rates(self):
        sharing = [entry for entry in self.live.values() if entry[0].ticket < 0]
        caps = [self.caps[name] for name, entry in self.live.items() if entry[0].ticket < 0]
        routes = [route for _, route, _ in sharing]
        weights = [weight for *_, weight in sharing]
        levels = max_min_rates(routes, weights, self.capacities, caps)
        expected = [level * weight for level, weight in zip(levels, weights, strict=True)]
        rates = [self.network.rate(flow) for flow, *_ in sharing]
        assert rates == pytest.approx(expected, rel=1e-11, abs=1e-14)


@settings(deadline=None, max_examples=250)
@given(histories())
def test_rates_are_the_specified_ones_after_every_change(history):
    capacities, steps = history
    rehearsal = Rehearsal(capacities)
    for name, step in enumerate(steps):
        rehearsal.do(name, step)
        rehearsal.check_rates()


@settings(deadline=None, max_examples=100)
@given(histories())
def test_all_flows_end_and_links_carried_what_was_sent(history):
    capacities, steps = history
    rehearsal = Rehearsal(capacities)
    for name, step in enumerate(steps):
        if step[0] != "cancel":
            rehearsal.do(name, step)
    for link, capacity in enumerate(rehearsal.capacities):
        rehearsal.network.set_capacity(link, capacity or 1.0)
    for flow, *_ in rehearsal.live.values():
        if flow.bundle.limit is not None and flow.bundle.limit.capacity == 0.0:
            rehearsal.network.set_cap(flow, 1.0)
    rehearsal.clock.run()
    assert rehearsal.live == {}
    assert rehearsal.network.carried_bytes == pytest.approx(rehearsal.ended_bytes, rel=1e-12)
    assert rehearsal.network.active_flows == [0] * len(capacities)


@settings(deadline=None, max_examples=60)
@given(histories())
def test_filling_from_scratch_changes_nothing(history):
    """The fallback that ends captures going in circles agrees with the captures."""
    capacities, steps = history
    rehearsal = Rehearsal(capacities)
    for name, step in enumerate(steps):
        rehearsal.do(name, step)
        network = rehearsal.network
        network._settle(rehearsal.clock.now)
        network._allocator._refill(rehearsal.clock.now)
        rehearsal.check_rates()
    assert rehearsal.network._allocator.refills == len(steps)


def test_captures_do_not_go_in_circles():
    """A thousand events in a mesh: the fallback is never needed, and rates stay the specified."""
    generator = np.random.default_rng(5)
    rehearsal = Rehearsal(generator.uniform(1.0, 20.0, 12).tolist())
    for name in range(1000):
        route = tuple(generator.permutation(12)[: generator.integers(1, 5)].tolist())
        rehearsal.do(name, ("start", route, generator.exponential(8.0), 1.0, 0.0, math.inf))
        rehearsal.do(name, ("wait", generator.exponential(0.5)))
        if name % 20 == 0:
            rehearsal.check_rates()
    assert rehearsal.network._allocator.refills == 0


def test_the_same_history_gives_the_same_times():
    def finishes():
        generator = np.random.default_rng(3)
        world = Finishes(generator.uniform(1.0, 20.0, 8).tolist())
        for name in range(300):
            route = tuple(generator.permutation(8)[:3].tolist())
            world.start(name, route, generator.exponential(5.0), generator.exponential(20.0))
        return list(world.run().items())

    assert finishes() == finishes()
