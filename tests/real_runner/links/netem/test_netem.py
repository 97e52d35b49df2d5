"""Links of the kernel's netem, as ping, iperf3 and plain sockets see them, where it has netem.

Elsewhere `test_in_a_guest` runs these very tests in a guest whose kernel has it.
"""

import asyncio
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from scipy.stats import binom

from real_runner.links.certificate import Certificate
from real_runner.links.kinds import emulated_links
from real_runner.links.measuring import measure
from real_runner.links.netem.disciplines import has_netem
from real_runner.links.probing import arrivals, datagrams, in_namespace, messages_s
from sim.errors import ScenarioError
from tests.emulating import why_not
from tests.real_runner.links.conftest import Emulated, Ends, emulated_by, world
from topologies.schedules import Schedule
from topologies.topology import Link

GOODPUT = 1448 / 1514
SLOW_FRAME_S = 8 * 1514 / 1e6


@pytest.fixture
def netem() -> Emulated[Any]:
    if reason := why_not():
        pytest.skip(reason)
    if not in_namespace("/proc/self/ns/net", has_netem):
        pytest.skip("this kernel has no netem; test_in_a_guest runs this where one has")
    return emulated_by("netem")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"duplex": "half"}, "duplex"),
        ({"schedule": Schedule((0.0,), (1e6,), (), None)}, "schedule"),
        ({"back_schedule": Schedule((0.0,), (1e6,), (), None)}, "back_schedule"),
        ({"rate_bits_per_s": 40e9}, "rate_bits_per_s"),
        ({"delay_s": 9.0, "jitter_s": 5.0}, "jitter_s"),
    ],
)
def test_what_netem_cannot_do_is_refused_by_link_and_field(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    link = Link(**{"source": "a", "target": "b", "rate_bits_per_s": 1e6, "delay_s": 0.0} | changes)
    with pytest.raises(ScenarioError, match=rf"link a->b: {field}: .* --links userspace"):
        emulated_links("netem", "refused", tmp_path, world(link))


def sent(ends: Ends, count: int, interval_s: float) -> int:
    """Return how many datagrams arrive of so many."""
    e = ends.emulation
    with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
        return arrivals(ours, theirs, count, interval_s, 0.4)


def test_links_as_they_should_be_are_certified(netem: Emulated[Any]) -> None:
    topology = world(
        Link("a", "b", 20e6, 0.080, back_rate_bits_per_s=10e6, transport="tcp"),
        Link("b", "c", 1e6, 0.100, transport="tcp"),
        Link("b", "d", 10e6, 0.080, jitter_s=0.020, transport="tcp"),
    )  # long enough for a guest's processor to be away for a millisecond

    async def look(ends: Ends) -> Certificate:
        return await asyncio.to_thread(measure, ends.emulation)

    certificate = netem(topology, look)
    assert certificate.problems == ()
    assert (certificate.backend, certificate.losses) == ("netem", "unseeded")
    assert certificate.offloads.startswith("off")
    assert len(certificate.checks) == 11


def test_a_small_message_takes_its_time_on_a_slow_link(netem: Emulated[Any]) -> None:
    def send(ends: Ends) -> list[float]:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            return messages_s(ours, theirs, 5, 8192, 1.0)

    async def look(ends: Ends) -> list[float]:
        return await asyncio.to_thread(send, ends)

    expected_s = 0.005 + 8 * (8192 + 6 * 42) / 1e6
    found_s = netem(world(Link("a", "b", 1e6, 0.005)), look)
    assert median(found_s) == pytest.approx(expected_s, rel=0.05)
    assert min(found_s) > 0.98 * expected_s


def test_packets_hop_through_routers_and_other_nodes(netem: Emulated[Any]) -> None:
    topology = world(
        Link("a", "r", 10e6, 0.003, transport="tcp"),
        Link("r", "s", 5e6, 0.004, transport="tcp"),
        Link("s", "b", 9e6, 0.005, transport="tcp"),
        Link("r", "c", 9e6, 0.005, transport="tcp"),
        routers=["r"],
    )

    async def look(ends: Ends) -> tuple[list[float], Any, list[int]]:
        found_s = await ends.ping_s("a", "b")
        said = await ends.iperf("a", "b", "-t", "3", "-O", "1")
        report = await ends.emulation.report()
        return found_s, said, [channel.carried_bytes for channel in report.channels]

    found_s, said, carried = netem(topology, look)
    wire_s = 2 * sum(8 * 98 / rate for rate in (10e6, 5e6, 9e6))
    assert found_s[len(found_s) // 2] == pytest.approx(0.024 + wire_s, abs=1e-3)
    assert said["sum_received"]["bits_per_second"] == pytest.approx(5e6 * GOODPUT, rel=0.03)
    assert carried[0] == pytest.approx(carried[2], rel=0.01)
    assert carried[4] == pytest.approx(carried[2], rel=0.01)
    assert carried[6] == 0


def test_sixteen_share_an_access_link_and_never_exceed_it(netem: Emulated[Any]) -> None:
    clouds = [f"c{number}" for number in range(16)]
    access = Link("edge", "isp", 4e6, 0.005, transport="tcp")
    others = (Link("isp", cloud, 20e6, 0.002, transport="tcp") for cloud in clouds)

    async def look(ends: Ends) -> list[float]:
        calls = (
            ends.iperf("edge", cloud, "-t", "15", port=5201 + number)
            for number, cloud in enumerate(clouds)
        )
        sending = asyncio.gather(*calls)
        rates = await ends.carried_bits_per_s(range(0, 34, 2), 4.0)
        await sending
        return rates[::2]

    shared, *shares = netem(world(access, *others, routers=["isp"]), look)
    assert 4e6 * 0.9 <= shared <= 4e6 * 1.02
    assert sum(shares) == pytest.approx(shared, rel=0.02)
    assert min(shares) > 0


def test_loss_is_as_likely_as_the_link_says_and_counted(netem: Emulated[Any]) -> None:
    count, loss = 1000, 0.05

    async def look(ends: Ends) -> tuple[int, int]:
        ends.emulation.begin(7)
        arrived = await asyncio.to_thread(sent, ends, count, 0.002)
        return arrived, (await ends.emulation.report()).channels[0].lost_packets

    arrived, lost = netem(world(Link("a", "b", 50e6, 0.001, loss=loss)), look)
    assert count - arrived == lost
    assert binom.ppf(0.001, count, loss) <= lost <= binom.ppf(0.999, count, loss)


def test_what_finds_the_queue_full_is_dropped(netem: Emulated[Any]) -> None:
    waiting, on_the_wire, count = 10, 1, 50

    async def look(ends: Ends) -> tuple[int, int]:
        arrived = await asyncio.to_thread(sent, ends, count, 0.0)
        return arrived, (await ends.emulation.report()).channels[0].dropped_packets

    arrived, dropped = netem(world(Link("a", "b", 2e5, 0.001, queue_bytes=waiting * 1514)), look)
    assert arrived == waiting + on_the_wire
    assert dropped == count - arrived


def test_jitter_spreads_round_trips_and_keeps_the_order(netem: Emulated[Any]) -> None:
    link = Link("a", "b", 50e6, 0.020, jitter_s=0.010)

    def numbers(ends: Ends) -> list[int]:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            theirs.settimeout(1.0)
            for number in range(200):
                ours.send(number.to_bytes(4, "big"))
            return [int.from_bytes(theirs.recv(4), "big") for _ in range(200)]

    async def look(ends: Ends) -> tuple[list[int], list[float]]:
        return await asyncio.to_thread(numbers, ends), await ends.ping_s("a", "b", 40)

    inorder, trips_s = netem(world(link), look)
    assert all(after - before == 1 for before, after in pairwise(inorder))
    assert min(trips_s) >= 0.020
    assert max(trips_s) <= 0.062
    assert max(trips_s) - min(trips_s) > 0.010


Change = Callable[[Ends], None]


def outage(ends: Ends) -> None:
    ends.emulation.set_factor("a->b", 0.0)


def crash(ends: Ends) -> None:
    ends.emulation.set_silent("a", silent=True)


@pytest.mark.parametrize("change", [outage, crash])
def test_an_outage_and_silence_let_nothing_through_until_they_end(
    netem: Emulated[Any], change: Change
) -> None:
    async def look(ends: Ends) -> list[int]:
        found = []
        for step in (change, lambda ends: ends.emulation.rest()):
            step(ends)
            await ends.emulation.report()  # which is answered once the change has been made
            found.append(await asyncio.to_thread(sent, ends, 5, 0.02))
        return found

    assert netem(world(Link("a", "b", 5e6, 0.001)), look) == [0, 5]


def test_a_degraded_link_slows_and_recovers(netem: Emulated[Any]) -> None:
    def last_of_ten_s(ends: Ends) -> float:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            return messages_s(ours, theirs, 1, 10 * 1472, 2.0)[0]

    async def look(ends: Ends) -> list[float]:
        found = []
        for factor in (1.0, 0.5, 1.0):
            ends.emulation.set_factor("a->b", factor)
            await ends.emulation.report()
            found.append(await asyncio.to_thread(last_of_ten_s, ends))
        return found

    whole, half, again = netem(world(Link("a", "b", 1e6, 0.001)), look)
    assert whole == pytest.approx(0.001 + 10 * SLOW_FRAME_S, rel=0.05)
    assert half == pytest.approx(0.001 + 20 * SLOW_FRAME_S, rel=0.05)
    assert again == pytest.approx(whole, rel=0.05)


def test_two_at_once_do_not_meet(netem: Emulated[Any]) -> None:
    near, far = (world(Link("a", "b", 10e6, delay_s)) for delay_s in (0.001, 0.010))

    async def look(ends: Ends) -> list[float]:
        with tempfile.TemporaryDirectory() as folder:
            other = Ends(emulated_links("netem", "other", Path(folder), far))
            await other.emulation.start()
            try:
                return [(await each.ping_s("a", "b", 5))[0] for each in (ends, other)]
            finally:
                await other.emulation.stop()

    here_s, there_s = netem(near, look)
    assert there_s - here_s == pytest.approx(0.018, abs=1e-3)
