"""Bytes over links as they are now: schedules, faults, loss, half duplex; no connections yet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine.clock import Clock
from sim.engine.transport import Transport
from topologies.device import device_named
from topologies.schedules import Schedule
from topologies.topology import Link, Node, Topology

PHONE = device_named("jetson-orin-nano-8gb")


def topology(*links):
    names = dict.fromkeys(end for link in links for end in (link.source, link.target))
    nodes = (Node(n, "edge", PHONE) if n == "a" else Node(n, "cloud", PHONE) for n in names)
    return Topology("test", tuple(nodes), links)


class Arrivals(dict):
    """When each named transfer arrived. Rates are in bytes per second here."""

    def __init__(self, *links):
        self.clock = Clock()
        self.transport = Transport(self.clock, topology(*links))

    def send(self, name, source, target, size_bytes, **options):
        return self.transport.send(source, target, size_bytes, self._done, name, **options)

    def at(self, when_s, call, *arguments):
        self.clock.at(when_s, lambda _: call(*arguments), None)

    def _done(self, name):
        self[name] = self.clock.now

    def run(self, until=None):
        self.clock.run(until=until)
        return dict(self)


def link(rate, delay_s=0.0, **options):
    return Link("a", "b", 8 * rate, delay_s, **options)


def test_a_plain_link_takes_delay_plus_bytes_over_rate():
    world = Arrivals(link(10.0, 0.5))
    world.send("there", "a", "b", 100.0)
    world.send("back", "b", "a", 50.0)
    world.send("nowhere", "a", "a", 1e9)
    assert world.run() == {"nowhere": 0.0, "back": 5.5, "there": 10.5}
    assert world.transport.carried_bytes == [100.0, 50.0]
    assert world.transport.channel_bits_per_s == (80.0, 80.0)


def test_directions_of_a_half_duplex_link_share_its_airtime():
    world = Arrivals(link(10.0, duplex="half"))
    world.send("there", "a", "b", 50.0)
    world.send("back", "b", "a", 100.0)
    assert world.transport.active_flows == [1, 1]
    # 5/s each until there is done at 10 with 50 of back left, which then has all 10/s.
    assert world.run() == {"there": 10.0, "back": 15.0}
    assert world.transport.carried_bytes == [50.0, 100.0]


def test_directions_of_a_full_duplex_link_do_not():
    world = Arrivals(link(10.0))
    world.send("there", "a", "b", 50.0)
    world.send("back", "b", "a", 100.0)
    assert world.run() == {"there": 5.0, "back": 10.0}


def test_weights_share_as_on_the_network():
    world = Arrivals(link(12.0))
    world.send("one", "a", "b", 20.0)
    world.send("three", "a", "b", 90.0, weight=3.0)
    assert world.run() == pytest.approx({"one": 20 / 3, "three": 20 / 3 + 2.5}, rel=1e-15)


def test_loss_costs_its_part_of_the_rate():
    world = Arrivals(link(10.0, loss=0.2))
    world.send("there", "a", "b", 80.0)
    assert world.run() == pytest.approx({"there": 10.0}, rel=1e-15)
    assert world.transport.channel_bits_per_s == pytest.approx((64.0, 64.0), rel=1e-15)


def test_a_schedule_sets_the_rate_from_its_first_moment_on():
    world = Arrivals(link(1.0, schedule=Schedule((0.0, 2.0, 3.0), (80.0, 0.0, 160.0))))
    world.send("there", "a", "b", 60.0)
    # 20 by 2, nothing until 3, then the other 40 at 20/s.
    assert world.run() == {"there": 5.0}


def test_each_direction_may_have_its_own_schedule():
    slow, fast = Schedule((0.0,), (8.0,)), Schedule((0.0, 1.0), (80.0, 800.0))
    world = Arrivals(link(1.0, schedule=slow, back_schedule=fast))
    world.send("there", "a", "b", 10.0)
    world.send("back", "b", "a", 110.0)
    assert world.run() == {"there": 10.0, "back": 2.0}


def test_both_directions_of_half_duplex_follow_its_schedule():
    world = Arrivals(link(1.0, duplex="half", schedule=Schedule((0.0, 2.0), (80.0, 160.0))))
    world.send("there", "a", "b", 20.0)
    world.send("back", "b", "a", 30.0)
    assert world.run() == pytest.approx({"there": 3.0, "back": 3.5}, rel=1e-15)


def test_a_scheduled_delay_is_that_of_the_moment_of_sending():
    world = Arrivals(link(10.0, 0.5, schedule=Schedule((0.0, 2.0), (80.0, 80.0), (1.0, 3.0))))
    world.send("early", "a", "b", 10.0)
    world.at(2.0, world.send, "late", "a", "b", 10.0)
    assert world.run() == {"early": 2.0, "late": 6.0}


def test_an_outage_stalls_and_what_is_left_goes_on():
    world = Arrivals(link(10.0))
    world.send("there", "a", "b", 100.0)
    world.at(2.0, world.transport.set_factor, 0, 0.0)
    world.at(5.0, world.transport.set_factor, 0, 0.5)
    world.at(7.0, world.transport.set_factor, 0, 1.0)
    # 20 by 2 and still by 5, 30 by 7, the other 70 by 14.
    assert world.run() == {"there": 14.0}


def test_faults_and_schedules_compose():
    world = Arrivals(link(1.0, schedule=Schedule((0.0, 4.0), (80.0, 160.0))))
    world.send("there", "a", "b", 100.0)
    world.at(2.0, world.transport.set_factor, 0, 0.5)
    # 20 by 2 at 10/s, 30 by 4 at half of it, the other 70 at half of 20/s.
    assert world.run() == {"there": 11.0}
    assert world.transport.channel_bits_per_s == (80.0, 80.0)


def test_a_stalled_transfer_leaves_the_link_to_others_and_goes_on_where_it_stood():
    world = Arrivals(link(10.0, 1.0))
    stalled = world.send("stalled", "a", "b", 100.0)
    world.at(3.0, world.transport.stall, stalled)  # 30 bytes are through
    world.at(4.0, world.send, "other", "a", "b", 50.0)
    world.at(7.5, lambda: world.update(left=world.transport.left_bytes(stalled)))
    world.at(20.0, world.transport.release, stalled)
    assert world.run() == {"left": 70.0, "other": 10.0, "stalled": 28.0}
    assert world.transport.carried_bytes == [150.0, 0.0]


def test_a_transfer_stalled_before_its_first_byte_has_all_of_its_way_to_go():
    world = Arrivals(link(10.0, 1.0))
    stalled = world.send("stalled", "a", "b", 100.0)
    world.transport.stall(stalled)
    world.at(5.0, world.transport.release, stalled)
    assert world.run() == {"stalled": 16.0}


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf")])
def test_impossible_factors_are_refused(factor):
    with pytest.raises(ValueError, match="link a->b: factor is"):
        Arrivals(link(1.0)).transport.set_factor(0, factor)


def test_rates_are_the_very_same_value_until_one_changes():
    world = Arrivals(link(1.0, schedule=Schedule((0.0, 2.0), (80.0, 160.0))))
    before = world.transport.channel_bits_per_s
    world.clock.run(until=1.5)
    assert world.transport.channel_bits_per_s is before
    world.clock.run(until=2.5)
    assert world.transport.channel_bits_per_s == (160.0, 160.0)


def test_a_cancelled_transfer_leaves_its_share_and_its_account():
    world = Arrivals(link(10.0, 1.0))
    handle = world.send("there", "a", "b", 100.0)
    world.clock.run(until=3.0)
    assert world.transport.cancel(handle)
    assert not world.transport.cancel(handle)
    assert world.run() == {}
    assert world.transport.carried_bytes == [30.0, 0.0]


def test_transfers_meet_at_the_link_they_share_whatever_lies_behind_it():
    links = (
        Link("a", "hub", 80.0, 0.0),
        Link("hub", "near", 800.0, 1.0),
        Link("hub", "far", 800.0, 20.0),
    )
    world = Arrivals(*links)
    world.send("near", "a", "near", 100.0)
    world.send("far", "a", "far", 100.0)
    # Both have left the shared link, 10 bytes/s, at 20.
    assert world.run() == {"near": 21.0, "far": 40.0}
    world = Arrivals(*links)
    world.send("near", "near", "a", 100.0)
    world.send("far", "far", "a", 100.0)
    # One has it to itself from 1 to 11, the other from 20 to 30.
    assert world.run() == {"near": 11.0, "far": 30.0}


def test_of_links_that_are_alike_a_trusted_node_s_own_is_where_transfers_meet():
    links = (Link("a", "hub", 80.0, 2.0), Link("hub", "b", 80.0, 3.0), Link("hub", "c", 80.0, 9.0))
    world = Arrivals(*links)
    world.send("up", "a", "b", 100.0)
    world.send("there", "a", "c", 100.0)
    # Both have left a's link at 20.
    assert world.run() == {"up": 25.0, "there": 31.0}
    world = Arrivals(*links)
    world.send("down", "b", "a", 100.0)
    world.send("back", "c", "a", 100.0)
    # At a's link from 3 and 9; from then on half each until 17, when 60 bytes of one are left.
    assert world.run() == {"down": pytest.approx(19.0), "back": pytest.approx(25.0)}


@st.composite
def schedules(draw):
    gaps = draw(st.lists(st.floats(0.1, 3.0), min_size=1, max_size=8))
    starts = [0.0, *np.cumsum(gaps).tolist()]
    rate = st.just(0.0) | st.floats(0.1, 100.0)
    rates = [draw(rate) for _ in starts]
    rates[draw(st.integers(0, len(rates) - 1))] = 50.0
    return Schedule(tuple(starts), tuple(rates), (), starts[-1] + draw(st.floats(0.1, 3.0)))


@settings(deadline=None, max_examples=100)
@given(schedules(), st.floats(0.1, 30.0))
def test_what_arrives_by_any_moment_is_the_schedule_s_integral(schedule, moment_s):
    world = Arrivals(link(1.0, schedule=schedule))
    world.send("endless", "a", "b", 1e12)
    world.run(until=moment_s)
    bytes_due = schedule.bits(0.0, moment_s) / 8
    assert world.transport.carried_bytes[0] == pytest.approx(bytes_due, rel=1e-9, abs=1e-3)


@settings(deadline=None, max_examples=50)
@given(schedules(), st.lists(st.floats(0.5, 20.0), min_size=1, max_size=5))
def test_a_scheduled_link_is_never_faster_and_never_idle(schedule, sizes):
    world = Arrivals(link(1.0, schedule=schedule))
    for name, size_bytes in enumerate(sizes):
        world.send(name, "a", "b", size_bytes)
    while len(world) < len(sizes):
        world.clock.step()
    assert schedule.bits(0.0, max(world.values())) / 8 == pytest.approx(sum(sizes), rel=1e-9)


def test_each_message_costs_as_much_as_so_many_bytes_more():
    world = Arrivals(link(10.0, 0.5, message_bytes=20, back_message_bytes=0))
    world.send("alone", "a", "b", 80.0)
    world.send("back", "b", "a", 80.0)
    world.at(20.0, lambda: [world.send(name, "a", "b", 30.0) for name in "xyz"])
    assert world.run() == {"back": 8.5, "alone": 10.5, "x": 35.5, "y": 35.5, "z": 35.5}
    assert world.transport.carried_bytes == [pytest.approx(170.0), 80.0]


def test_of_the_links_of_a_route_the_dearest_message_counts_once():
    first = Link("a", "b", 80.0, 0.0, message_bytes=20)
    second = Link("c", "b", 8e9, 0.0, message_bytes=5, back_message_bytes=50)
    world = Arrivals(first, second)
    world.send("there", "a", "c", 10.0)
    world.at(100.0, lambda: world.send("back", "c", "a", 10.0))
    assert world.run() == {"there": pytest.approx(6.0), "back": pytest.approx(103.0)}


def test_of_a_message_that_is_stopped_the_payload_that_has_passed_counts():
    world = Arrivals(link(10.0, message_bytes=100))
    handle = world.send("stopped", "a", "b", 300.0)
    world.run(until=20.0)
    transport = world.transport
    assert transport.left_bytes(handle) == pytest.approx(150.0)
    assert transport.carried_bytes == [pytest.approx(150.0), 0.0]
    assert transport.cancel(handle)
    assert not transport.cancel(handle)
    assert transport.left_bytes(handle) == 0.0
    assert transport.carried_bytes == [pytest.approx(150.0), 0.0]
    world.send("empty", "a", "b", 0.0)
    assert world.run() == {"empty": pytest.approx(30.0)}
    assert transport.carried_bytes == [pytest.approx(150.0), 0.0]


@pytest.mark.parametrize("message_bytes", [0, 100])
def test_a_size_below_zero_is_refused(message_bytes):
    world = Arrivals(link(10.0, message_bytes=message_bytes))
    with pytest.raises(ValueError, match=r"size_bytes is -1\.0"):
        world.send("less", "a", "b", -1.0)


def test_messages_on_a_connection_are_larger_as_well():
    plain, dear = (
        Arrivals(link(1e6, 0.001, transport="tcp", message_bytes=n)) for n in (0, 10_000)
    )
    plain.send("x", "a", "b", 30_000.0)
    dear.send("x", "a", "b", 20_000.0)
    assert dear.run() == plain.run()
    assert dear.transport.carried_bytes[0] == pytest.approx(20_000.0)


def test_what_a_codec_writes_costs_more():
    world = Arrivals(link(10.0, message_bytes=10, coding_bytes=30, back_coding_bytes=0))
    world.send("plain", "a", "b", 40.0)
    world.at(10.0, lambda: world.send("coded", "a", "b", 40.0, coded=True))
    world.at(30.0, lambda: world.send("back", "b", "a", 40.0, coded=True))
    assert world.run() == {"plain": 5.0, "coded": 18.0, "back": 35.0}
    assert world.transport.carried_bytes == [pytest.approx(80.0), pytest.approx(40.0)]
