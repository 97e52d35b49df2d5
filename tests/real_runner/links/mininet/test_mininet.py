"""Mininet's networks are those of their topologies: reachable, as far away, as wide."""

import asyncio
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mininet", reason="pip install 'tessera[real]'")

from real_runner.links.kinds import emulated_links
from real_runner.links.probing import arrivals, datagrams
from tests.emulating import MININET, why_not
from tests.real_runner.links.conftest import Emulated, Ends, emulated_by, world
from topologies.shipped import load
from topologies.topology import Link

ECHO_BITS = 8 * 98


@pytest.fixture
def mininet() -> Emulated[Any]:
    if reason := why_not(*MININET):
        pytest.skip(reason)
    return emulated_by("mininet")


@pytest.mark.long
@pytest.mark.parametrize("name", ["small-sam", "orin-nano-4-clouds", "jetson-16-clouds"])
def test_every_node_of_a_shipped_topology_is_as_far_as_it_says(
    mininet: Emulated[Any], name: str
) -> None:
    topology = load(name)
    nodes = [node.name for node in topology.nodes]
    ways = [(a, b) for a in nodes for b in nodes if a < b]

    def expected_s(way: tuple[str, str]) -> Any:
        channels = [topology.channels[i] for i in topology.route(*way).channels]
        trip_s = sum(2 * c.delay_s + 2 * ECHO_BITS / c.rate_bits_per_s for c in channels)
        return pytest.approx(trip_s, rel=0.02, abs=1e-3)

    async def look(ends: Ends) -> dict[tuple[str, str], float]:
        found = {}
        for batch in (ways[i : i + 8] for i in range(0, len(ways), 8)):
            trips = await asyncio.gather(*(ends.ping_s(a, b, 3) for a, b in batch))
            found |= {way: min(each) for way, each in zip(batch, trips, strict=True)}
        for way in [way for way in ways if found[way] != expected_s(way)]:
            found[way] = min(await ends.ping_s(*way, 20))  # alone, since processors are few
        return found

    for way, trip_s in mininet(topology, look).items():
        assert trip_s == expected_s(way), way


def test_a_shared_link_is_shared_and_what_is_beside_it_is_not(mininet: Emulated[Any]) -> None:
    topology = world(
        Link("a", "r", 10e6, 0.002, transport="tcp"),
        *(Link("r", name, 50e6, 0.002, transport="tcp") for name in "bcd"),
        routers=["r"],
    )

    async def look(ends: Ends) -> list[float]:
        sending = asyncio.gather(
            ends.iperf("a", "b", "-t", "6"),
            ends.iperf("a", "c", "-t", "6", port=5202),
        )
        rates = await ends.carried_bits_per_s([0, 2, 4], 3.0)
        await sending
        return rates

    rates = mininet(topology, look)
    assert rates[0] == pytest.approx(10e6, rel=0.05)
    assert rates[2] + rates[4] == pytest.approx(rates[0], rel=0.02)
    assert rates[6] < 0.01 * rates[0]


def test_an_outage_and_silence_let_nothing_through_until_they_end(mininet: Emulated[Any]) -> None:
    topology = world(Link("a", "r", 1e6, 0.001), Link("r", "b", 1e6, 0.001), routers=["r"])

    def train(ends: Ends) -> int:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            return arrivals(ours, theirs, 3, 0.02, 0.3)

    async def look(ends: Ends) -> list[int]:
        e = ends.emulation
        found = []
        for change in (
            partial(e.set_silent, "a", silent=True), partial(e.set_silent, "a", silent=False),
            partial(e.set_silent, "b", silent=True), e.rest,
        ):  # fmt: skip
            change()
            await e.report()  # which is answered once the change has been made
            found.append(await asyncio.to_thread(train, ends))
        return found

    assert mininet(topology, look) == [0, 3, 3, 3]


def test_two_at_once_do_not_meet(mininet: Emulated[Any]) -> None:
    near, far = (
        world(Link("a", "r", 10e6, delay_s), Link("r", "b", 10e6, delay_s), routers=["r"])
        for delay_s in (0.001, 0.010)
    )

    async def look(ends: Ends) -> list[float]:
        with tempfile.TemporaryDirectory() as folder:
            other = Ends(emulated_links("mininet", "other", Path(folder), far))
            await other.emulation.start()
            try:
                found = [(await each.ping_s("a", "b", 5))[0] for each in (ends, other)]
            finally:
                await other.emulation.stop()
        return [*found, (await ends.ping_s("a", "b", 5))[0]]

    here, there, after = mininet(near, look)
    assert here == pytest.approx(after, abs=1e-3)
    assert there - here == pytest.approx(0.036, abs=1e-3)


def test_what_netem_could_not_do_the_forwarder_does(mininet: Emulated[Any]) -> None:
    link = Link("a", "r", 10e6, 0.020, jitter_s=0.015, duplex="half")
    topology = world(link, Link("r", "b", 100e6, 0.0), routers=["r"])

    def numbers(ends: Ends) -> list[int]:
        e = ends.emulation
        with datagrams(e.namespace("a"), e.namespace("b"), e.address("b")) as (ours, theirs):
            theirs.settimeout(1.0)
            for number in range(100):
                ours.send(number.to_bytes(4, "big"))
            return [int.from_bytes(theirs.recv(4), "big") for _ in range(100)]

    async def look(ends: Ends) -> list[int]:
        assert ends.emulation.losses == "seeded"
        return await asyncio.to_thread(numbers, ends)

    found = mininet(topology, look)
    assert all(after - before == 1 for before, after in pairwise(found))
