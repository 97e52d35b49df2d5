"""Transfers over links whose delays differ, against a simulation of every packet."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest

from sim.engine.clock import Clock
from sim.engine.jitter import lateness_s
from sim.engine.simulator import Simulator
from sim.engine.transport import Transport
from sim.plan import Plan, Transfer
from tests.conftest import MakeScenario, Scripted, small_topology
from topologies.device import device_named
from topologies.schedules import Schedule
from topologies.topology import Link, Node, Topology
from workloads.stage import Payload

PHONE = device_named("jetson-orin-nano-8gb")
FRAME = 1514.0
DELAY_S, JITTER_S = 0.050, 0.020
CHANCE = 0.01  # how often a right model would fail for a seed drawn at random; these are fixed


def world(*links: Link, seed: int | None = 1) -> tuple[Clock, Transport]:
    names = dict.fromkeys(end for link in links for end in (link.source, link.target))
    nodes = tuple(Node(name, "cloud" if name != "a" else "edge", PHONE) for name in names)
    clock = Clock()
    rng = None if seed is None else np.random.default_rng(seed)
    return clock, Transport(clock, Topology("test", nodes, links), rng=rng)


def link(bytes_per_s: float, **options: object) -> Link:
    values = {"source": "a", "target": "b", "delay_s": DELAY_S, "jitter_s": JITTER_S} | options
    return Link(rate_bits_per_s=8 * bytes_per_s, **values)


def delays_s(
    count: int, size_bytes: float, *links: Link, seed: int | None = 1, gap_s: float = 10.0
) -> np.ndarray:
    """Send transfers one by one over all ``links``; return what each took."""
    clock, transport = world(*links, seed=seed)
    arrived_s = np.zeros(count)
    ends = links[0].source, links[-1].target

    def arrive(index: int) -> None:
        arrived_s[index] = clock.now - index * gap_s

    for index in range(count):
        clock.at(index * gap_s, lambda i: transport.send(*ends, size_bytes, arrive, i), index)
    clock.run()
    return arrived_s


def packets_s(
    count: int, packets: int, apart_s: float, jitters_s: tuple[float, ...], seed: int = 2
) -> np.ndarray:
    """Send every packet by itself: how much later than with mean delays the last one arrives."""
    rng = np.random.default_rng(seed)
    late_s = np.zeros(count)
    for index in range(count):
        there_s = [-np.inf] * len(jitters_s)  # by link: when its latest packet left it
        for number in range(packets):
            moment_s = (number - packets + 1) * apart_s
            for hop, jitter_s in enumerate(jitters_s):
                moment_s = max(there_s[hop], moment_s + rng.uniform(-jitter_s, jitter_s))
                there_s[hop] = moment_s
        late_s[index] = there_s[-1]
    return late_s


def test_the_delay_of_one_packet_is_drawn_evenly() -> None:
    found_s = delays_s(4000, FRAME, link(1e6)) - FRAME / 1e6
    assert found_s.mean() == pytest.approx(DELAY_S, abs=4 * JITTER_S / np.sqrt(3 * 4000))
    assert found_s.min() >= DELAY_S - JITTER_S - 1e-9
    assert found_s.max() <= DELAY_S + JITTER_S + 1e-9
    evenly = kstest(found_s, "uniform", (DELAY_S - JITTER_S, 2 * JITTER_S))
    assert evenly.pvalue > CHANCE


def test_another_width_would_be_noticed() -> None:
    found_s = delays_s(4000, FRAME, link(1e6)) - FRAME / 1e6
    wrong = kstest(found_s, "uniform", (DELAY_S - 1.1 * JITTER_S, 2.2 * JITTER_S))
    assert wrong.pvalue < 1e-4


@pytest.mark.parametrize("packets", [2, 5, 40, 300])
def test_large_transfers_are_as_late_as_packet_by_packet(packets: int) -> None:
    size_bytes, rate = packets * FRAME, 1e6  # 1.5 ms between packets, 40 ms between delays
    found_s = delays_s(1500, size_bytes, link(rate)) - DELAY_S - size_bytes / rate
    expected_s = packets_s(1500, packets, FRAME / rate, (JITTER_S,))
    assert ks_2samp(found_s, expected_s).pvalue > CHANCE
    assert found_s.mean() == pytest.approx(expected_s.mean(), abs=0.001)


def test_links_in_a_row_each_keep_the_order() -> None:
    jitters_s = (0.02, 0.01)
    first = link(1e6, jitter_s=jitters_s[0])
    second = link(1e9, source="b", target="c", jitter_s=jitters_s[1])
    size_bytes = 30 * FRAME
    found_s = delays_s(1500, size_bytes, first, second) - 2 * DELAY_S - size_bytes / 1e6
    expected_s = packets_s(1500, 30, FRAME / 1e6, jitters_s)
    assert ks_2samp(found_s, expected_s).pvalue > CHANCE
    alone_s = packets_s(1500, 30, FRAME / 1e6, (sum(jitters_s),))
    assert ks_2samp(found_s, alone_s).pvalue < 1e-4


def test_only_packets_that_can_hold_up_the_last_are_drawn() -> None:
    few, many = (lateness_s((0.02,), n, 0.001, np.random.default_rng(3)) for n in (41, 10**9))
    assert few == many


def test_no_transfer_overtakes_another() -> None:
    found_s = delays_s(500, FRAME, link(1e9), gap_s=0.001) + 0.001 * np.arange(500)
    assert np.diff(found_s).min() > -1e-12
    assert np.any(np.abs(np.diff(found_s)) < 1e-12)  # some had to wait for the one before


def test_without_jitter_nothing_is_drawn_and_nothing_changes() -> None:
    plain = link(1e6, jitter_s=0.0)
    assert np.array_equal(delays_s(20, 1e4, plain), delays_s(20, 1e4, plain, seed=None))


def test_without_a_source_of_chance_packets_take_the_mean() -> None:
    expected_s = delays_s(3, 1e4, link(1e6, jitter_s=0.0))
    assert np.array_equal(delays_s(3, 1e4, link(1e6), seed=None), expected_s)


def test_where_a_schedule_has_less_delay_than_jitter_nothing_arrives_before_it_was_sent() -> None:
    quick = link(1e9, schedule=Schedule((0.0,), (8e9,), (0.001,)))
    found_s = delays_s(500, FRAME, quick)
    assert 0.0 < found_s.min() < found_s.max() < 0.0021


@pytest.mark.parametrize("transport", ["fluid", "tcp"])
def test_what_has_passed_can_still_be_cancelled(transport: str) -> None:
    clock, over = world(link(1e9, transport=transport))
    arrived: list[str] = []
    handle = over.send("a", "b", FRAME, arrived.append, "first")
    while over.left_bytes(handle):
        clock.step()
    assert not arrived
    assert over.cancel(handle)
    assert not over.cancel(handle)
    clock.run()
    assert arrived == []
    assert over.carried_bytes[0] == pytest.approx(FRAME)


@pytest.mark.parametrize("pause_s", [0.001, 3.0])
def test_what_has_passed_waits_while_its_end_stands_still(pause_s: float) -> None:
    def arrival_s(*, stalls: bool) -> float:
        clock, over = world(link(1e9))
        arrived: list[float] = []
        handle = over.send("a", "b", FRAME, lambda _: arrived.append(clock.now), None)
        while over.left_bytes(handle):
            clock.step()
        if stalls:
            over.stall(handle)
            over.stall(handle)
            clock.run(until=clock.now + pause_s)
            over.release(handle)
            over.release(handle)
        clock.run()
        (moment_s,) = arrived
        return moment_s

    assert arrival_s(stalls=True) == pytest.approx(arrival_s(stalls=False) + pause_s)


def test_a_connection_goes_by_mean_round_trips() -> None:
    jittery = delays_s(2000, 1448.0, link(1e9, transport="tcp"), gap_s=1.0)
    steady = delays_s(2000, 1448.0, link(1e9, transport="tcp", jitter_s=0.0), gap_s=1.0)
    late_s = jittery - steady
    assert late_s.mean() == pytest.approx(0.0, abs=4 * JITTER_S / np.sqrt(3 * 2000))
    assert kstest(late_s, "uniform", (-JITTER_S, 2 * JITTER_S)).pvalue > CHANCE


def test_what_a_message_costs_more_is_carried_but_no_payload() -> None:
    clock, over = world(link(1e6, message_bytes=500))
    for _ in range(3):
        over.send("a", "b", 1000.0, lambda _: None, None)
    clock.run()
    assert over.carried_bytes[0] == pytest.approx(3000.0)
    assert over.network.carried_bytes[0] == pytest.approx(4500.0)


def test_a_scenario_with_jitter_is_the_same_every_time(make_scenario: MakeScenario) -> None:
    def latencies_s(jitter_s: float, replication: int = 0) -> list[float]:
        topology = small_topology()
        access, *others = topology.links
        jittery = replace(topology, links=(replace(access, jitter_s=jitter_s), *others))
        plan = Plan((Transfer("edge", "a", Payload("tokens", (0,), fixed_bytes=1448.0)),))
        scenario = make_scenario(Scripted((plan,)), range(20), topology=jittery)
        outcomes = Simulator().run(scenario, replication).outcomes
        return [outcome.latency_s for outcome in outcomes]

    plain = latencies_s(0.0)
    once = latencies_s(0.005)
    assert once == latencies_s(0.005)
    assert once != latencies_s(0.005, replication=1)
    assert len(set(once)) == 20
    assert max(abs(a - b) for a, b in zip(once, plain, strict=True)) <= 0.005 + 1e-12
