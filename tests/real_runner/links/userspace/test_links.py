"""Emulated links do what their topology says, as ping, iperf3 and plain sockets see it."""

import asyncio
import multiprocessing
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from scipy.stats import binom

from real_runner.links.measuring import device_drops
from real_runner.links.network import PATIENCE_OF_TCP_S
from real_runner.links.probing import arrivals, datagrams, message_times_s, stream
from tests.real_runner.links.conftest import Emulated, Ends, world
from topologies.mahimahi import read_mahimahi, write_mahimahi
from topologies.schedules import Schedule
from topologies.topology import Link

GOODPUT = 1448 / 1514
DATAGRAM = 1472 / 1514
"""What of a link's rate is payload: of TCP with time stamps, of full datagrams."""


@pytest.mark.parametrize("congestion", ["bbr", "cubic"])
def test_round_trips_and_goodput_are_those_of_the_link(
    emulated: Emulated[Any], congestion: Any
) -> None:
    link = Link("a", "b", 100e6, 0.020, transport="tcp", congestion=congestion)

    async def look(ends: Ends) -> tuple[float, Any]:
        median_ms, _ = await ends.ping_ms("a", "b")
        return median_ms, await ends.iperf("a", "b", "-t", "3", "-O", "2")

    median_ms, said = emulated(world(link), look)
    assert median_ms == pytest.approx(40.0, abs=0.8)
    assert said["sender_tcp_congestion"] == congestion
    assert said["sum_received"]["bits_per_second"] == pytest.approx(100e6 * GOODPUT, rel=0.03)


def test_a_small_message_takes_its_time_on_a_slow_link(emulated: Emulated[Any]) -> None:
    link = Link("a", "b", 1e6, 0.005, transport="tcp", congestion="cubic")

    def send(ends: Ends) -> list[float]:
        e = ends.emulation
        with stream(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            return [rested_message_s(ours, theirs) for _ in range(5)]

    def rested_message_s(ours: Any, theirs: Any) -> float:
        time.sleep(0.2)  # nothing of the last one is under way any more
        return message_times_s(ours, theirs, 1, 8192)[0]

    async def look(ends: Ends) -> list[float]:
        return await asyncio.to_thread(send, ends)

    expected_s = 0.005 + 8 * (8192 + 6 * 66) / 1e6
    found_s = emulated(world(link), look)
    assert min(found_s) >= 0.95 * expected_s
    assert median(found_s) == pytest.approx(
        expected_s, rel=0.05
    )  # who receives may be kept waiting


def test_nothing_is_lost_before_a_link_however_much_is_sent_ahead(emulated: Emulated[Any]) -> None:
    """A window is as wide as a node's widest way, and so too wide for all others."""
    topology = world(Link("a", "b", 500e6, 0.005), Link("a", "c", 10e9, 0.018))

    def send(ends: Ends) -> None:
        e = ends.emulation
        with stream(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            message_times_s(ours, theirs, 1, 60_000_000)

    async def look(ends: Ends) -> int:
        await asyncio.to_thread(send, ends)
        return await asyncio.to_thread(device_drops, ends.emulation)

    assert emulated(topology, look) == 0


def test_who_is_connected_to_waits_for_as_long_as_a_round_trip_may_take(
    emulated: Emulated[Any],
) -> None:
    """Its answer is sent again after 1 s, 2 s, 4 s and so on; then the handshake is forgotten."""

    async def look(ends: Ends) -> list[int]:
        names = ("tcp_syn_retries", "tcp_synack_retries")
        return [int(await ends.say("b", "cat", f"/proc/sys/net/ipv4/{each}")) for each in names]

    link = Link("a", "b", 100e6, 0.005, transport="tcp")
    for tries in emulated(world(link), look):
        assert sum(2**number for number in range(tries + 1)) > 2 * PATIENCE_OF_TCP_S


def test_loss_is_as_likely_as_the_link_says_and_hits_the_same_packets(
    emulated: Emulated[Any],
) -> None:
    count, loss = 2000, 0.05
    link = Link("a", "b", 50e6, 0.001, loss=loss)

    def train(ends: Ends) -> int:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            return arrivals(ours, theirs, count, 0.0003, 0.2)

    async def look(ends: Ends) -> list[tuple[int, int]]:
        found = []
        for seed in (7, 7, 9):
            ends.emulation.begin(seed)
            arrived = await asyncio.to_thread(train, ends)
            found.append((arrived, (await ends.emulation.report()).channels[0].lost_packets))
        return found

    first, again, other = emulated(world(link), look)
    least, most = binom.ppf(0.005, count, loss), binom.ppf(0.995, count, loss)
    for arrived, lost in (first, other):
        assert count - arrived == lost
        assert least <= lost <= most
    assert again == first
    assert other != first


def test_what_finds_the_queue_full_is_dropped(emulated: Emulated[Any]) -> None:
    link = Link("a", "b", 1e6, 0.001, queue_bytes=10 * 1514)
    sent, on_the_wire, waiting = 50, 1, 10

    def burst(ends: Ends) -> int:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            return arrivals(ours, theirs, sent, 0.0, 0.3)

    async def look(ends: Ends) -> tuple[int, int]:
        arrived = await asyncio.to_thread(burst, ends)
        return arrived, (await ends.emulation.report()).channels[0].dropped_packets

    arrived, dropped = emulated(world(link), look)
    assert arrived == on_the_wire + waiting
    assert dropped == sent - arrived


def test_directions_of_a_half_duplex_link_share_its_rate(emulated: Emulated[Any]) -> None:
    # BBR, since acknowledgements that wait behind data slow down who sends both ways at once.
    carried: Any = {"transport": "tcp", "congestion": "bbr"}
    both = [
        (duplex, Link("a", "b", 20e6, 0.001, duplex=duplex, **carried))
        for duplex in ("full", "half")
    ]

    async def look(ends: Ends) -> float:
        options = ("-t", "2", "-O", "1", "--bidir")
        said = await ends.iperf("a", "b", *options)
        names = ("sum_received", "sum_received_bidir_reverse")
        return sum(said[name]["bits_per_second"] for name in names)

    sums = {duplex: emulated(world(link), look) for duplex, link in both}
    assert sums["half"] == pytest.approx(20e6 * GOODPUT, rel=0.1)
    assert sums["full"] == pytest.approx(40e6 * GOODPUT, rel=0.1)


@pytest.mark.long
def test_sixteen_share_an_access_link_fairly_and_never_exceed_it(emulated: Emulated[Any]) -> None:
    clouds = [f"c{number}" for number in range(16)]
    access = Link("edge", "isp", 200e6, 0.005, transport="tcp")
    topology = world(access, *(Link("isp", cloud, 1e9, 0.002) for cloud in clouds))
    samples: list[tuple[float, int]] = []

    async def sample(ends: Ends) -> None:
        while True:
            report = await ends.emulation.report()
            samples.append((time.monotonic(), report.channels[0].carried_bytes))
            await asyncio.sleep(0.2)

    async def look(ends: Ends) -> list[float]:
        sampling = asyncio.create_task(sample(ends))
        calls = (
            ends.iperf("edge", cloud, "-t", "6", "-O", "2", port=5201 + number)
            for number, cloud in enumerate(clouds)
        )
        said = await asyncio.gather(*calls)
        sampling.cancel()
        return [each["sum_received"]["bits_per_second"] for each in said]

    rates = emulated(topology, look)
    assert sum(rates) <= 200e6 * GOODPUT * 1.01
    assert sum(rates) >= 200e6 * GOODPUT * 0.97
    for rate in rates:
        assert rate == pytest.approx(sum(rates) / 16, rel=0.1)
    (began_s, before), (ended_s, after) = samples[0], samples[-1]
    assert 8 * (after - before) <= 200e6 * (ended_s - began_s) * 1.01


@pytest.mark.long
def test_a_mahimahi_trace_delivers_its_integral_second_by_second(
    emulated: Emulated[Any], tmp_path: Path
) -> None:
    made = Schedule((0.0, 1.0, 2.0, 3.0), (20e6, 5e6, 0.5e6, 12e6), (), 4.0)
    write_mahimahi(made, tmp_path / "trace")
    schedule = read_mahimahi(tmp_path / "trace")
    link = Link("a", "b", 20e6, 0.002, schedule=schedule, queue_bytes=1 << 22)

    def flood(ends: Ends) -> int:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            return arrivals(ours, theirs, 2 * 10_000, 0.0004, 1.0)

    async def look(ends: Ends) -> list[tuple[float, int]]:
        flooding = asyncio.create_task(asyncio.to_thread(flood, ends))
        await asyncio.sleep(0.2)
        ends.emulation.begin(1)
        began_s = time.monotonic()
        found = []
        for second in range(7):
            await asyncio.sleep(max(0.0, began_s + second - time.monotonic()))
            carried = (await ends.emulation.report()).channels[0].carried_bytes
            found.append((time.monotonic() - began_s, carried))
        await flooding
        return found

    found = emulated(world(link), look)
    for (from_s, before), (to_s, after) in pairwise(found):
        frame_bits = 8 * 1514
        assert 8 * (after - before) == pytest.approx(
            schedule.bits(from_s, to_s), rel=0.03, abs=2 * frame_bits
        )


def test_delays_change_with_the_schedule_and_packets_keep_their_order(
    emulated: Emulated[Any],
) -> None:
    schedule = Schedule((0.0, 0.5), (10e6, 10e6), (0.100, 0.001), 1.0)
    link = Link("a", "b", 10e6, 0.001, schedule=schedule)

    def numbers(ends: Ends) -> list[int]:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            theirs.settimeout(1.0)
            for number in range(200):
                ours.send(number.to_bytes(4, "big"))
                time.sleep(0.006)
            return [int.from_bytes(theirs.recv(4), "big") for _ in range(200)]

    async def look(ends: Ends) -> tuple[list[int], float, float]:
        inorder = await asyncio.to_thread(numbers, ends)
        return inorder, *await ends.ping_ms("a", "b", 40)

    inorder, _, largest_ms = emulated(world(link), look)
    assert inorder == list(range(200))
    assert largest_ms == pytest.approx(200.0, abs=2.0)


def test_an_outage_stalls_and_a_degraded_link_slows(emulated: Emulated[Any]) -> None:
    link = Link("a", "b", 8e6, 0.005, transport="tcp", congestion="cubic")

    def send(ends: Ends) -> float:
        e = ends.emulation
        with stream(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            return message_times_s(ours, theirs, 1, 1_000_000)[0]

    async def look(ends: Ends) -> list[float]:
        found = []
        for factor in (0.0, 0.5):
            sending = asyncio.create_task(asyncio.to_thread(send, ends))
            await asyncio.sleep(0.4)
            ends.emulation.set_factor("a->b", factor)
            await asyncio.sleep(0.5)
            ends.emulation.set_factor("a->b", 1.0)
            found.append(await sending)
        return found

    whole_s = 8e6 / GOODPUT / 8e6
    stalled_s, slowed_s = emulated(world(link), look)
    assert whole_s + 0.5 - 0.05 <= stalled_s <= whole_s + 0.5 + 0.4
    assert whole_s + 0.25 - 0.05 <= slowed_s <= whole_s + 0.25 + 0.2


def test_packets_hop_through_nodes_that_only_forward(emulated: Emulated[Any]) -> None:
    topology = world(
        Link("a", "r", 10e6, 0.003), Link("r", "s", 5e6, 0.004), Link("s", "b", 9e6, 0.005)
    )

    async def look(ends: Ends) -> tuple[float, Any, list[int]]:
        median_ms, _ = await ends.ping_ms("a", "b")
        said = await ends.iperf("a", "b", "-t", "2", "-O", "1")
        await asyncio.sleep(0.2)  # what is still on its way arrives
        report = await ends.emulation.report()
        return median_ms, said, [channel.carried_bytes for channel in report.channels]

    median_ms, said, carried = emulated(topology, look)
    ping_bits = 8 * 98
    wire_ms = 2e3 * sum(ping_bits / rate for rate in (10e6, 5e6, 9e6))
    assert median_ms == pytest.approx(24.0 + wire_ms, abs=0.5)
    assert said["sum_received"]["bits_per_second"] == pytest.approx(5e6 * GOODPUT, rel=0.03)
    assert carried[0] >= carried[2] == carried[4]


def _burn() -> None:
    while True:
        pass


@pytest.mark.long
def test_packets_are_on_time_beside_busy_processors(emulated: Emulated[Any]) -> None:
    async def look(ends: Ends) -> tuple[float, float, bool]:
        ends.emulation.begin(1)
        median_ms, _ = await ends.ping_ms("a", "b")
        await ends.iperf("a", "b", "-t", "3")
        report = await ends.emulation.report()
        return median_ms, report.late_p99_s, ends.emulation.realtime

    fork = multiprocessing.get_context("fork")
    hogs = [fork.Process(target=_burn, daemon=True) for _ in range(2)]
    for hog in hogs:
        hog.start()
    try:
        median_ms, late_p99_s, is_realtime = emulated(world(Link("a", "b", 100e6, 0.020)), look)
    finally:
        for hog in hogs:
            hog.kill()
            hog.join()
    if not is_realtime:
        pytest.skip("no real-time priority here, which this needs")
    assert late_p99_s < 1e-3
    assert median_ms == pytest.approx(40.0, abs=0.8)


def test_jitter_is_drawn_from_the_seed_within_its_reach_and_keeps_the_order(
    emulated: Emulated[Any],
) -> None:
    link = Link("a", "b", 50e6, 0.020, jitter_s=0.010)
    count, apart_s = 40, 0.025

    def train(ends: Ends) -> list[tuple[int, float]]:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            theirs.settimeout(1.0)
            found = []
            for number in range(count):
                began_s = time.perf_counter()
                ours.send(number.to_bytes(4, "big"))
                got = int.from_bytes(theirs.recv(4), "big")
                found.append((got, time.perf_counter() - began_s))
                time.sleep(max(0.0, began_s + apart_s - time.perf_counter()))
            return found

    def burst(ends: Ends) -> list[int]:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            theirs.settimeout(1.0)
            for number in range(200):
                ours.send(number.to_bytes(4, "big"))
            return [int.from_bytes(theirs.recv(4), "big") for _ in range(200)]

    async def look(ends: Ends) -> tuple[list[list[float]], list[int]]:
        found = []
        for seed in (7, 7, 9):
            ends.emulation.begin(seed)
            came = await asyncio.to_thread(train, ends)
            assert [number for number, _ in came] == list(range(count))
            found.append([took_s for _, took_s in came])
        return found, await asyncio.to_thread(burst, ends)

    (first, again, other), inorder = emulated(world(link), look)
    wire_s = 8 * (4 + 28 + 14) / 50e6
    woken_s = 2e-3
    alike = [abs(a - b) < woken_s for a, b in zip(first, again, strict=True)]
    unlike = [abs(a - b) < woken_s for a, b in zip(first, other, strict=True)]
    assert sum(alike) >= 0.9 * count
    assert sum(unlike) <= 0.5 * count
    assert min(first) >= 0.010 + wire_s
    assert sorted(first)[int(0.9 * count)] <= 0.030 + woken_s
    assert max(first) - min(first) >= 0.012
    assert inorder == list(range(200))


def test_a_silent_node_is_not_heard_until_it_speaks_again(emulated: Emulated[Any]) -> None:
    def train(ends: Ends) -> int:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            return arrivals(ours, theirs, 3, 0.01, 0.2)

    async def look(ends: Ends) -> list[int]:
        found = []
        for node, silent in (("a", True), ("b", True), ("a", False)):
            ends.emulation.set_silent(node, silent=silent)
            await ends.emulation.report()  # which is answered once the change has been made
            found.append(await asyncio.to_thread(train, ends))
        return found

    assert emulated(world(Link("a", "b", 5e6, 0.001)), look) == [0, 0, 3]
