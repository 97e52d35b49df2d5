"""Emulated links for a test, and real programs at their ends."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

pytest.importorskip("pyroute2", reason="pip install 'tessera[real]'")

from real_runner.links.backend import Backend
from real_runner.links.kinds import Emulated as Kind
from real_runner.links.kinds import emulated_links
from real_runner.links.programs import Ends as Programs
from tests.conftest import device
from tests.emulating import why_not
from topologies.topology import Link, Node, Topology

T = TypeVar("T")
RUN = "test-links"


def world(*links: Link, routers: Collection[str] = ()) -> Topology:
    """Return a topology of these links, whose nodes compute but for routers; first is the edge."""
    names = dict.fromkeys(end for link in links for end in (link.source, link.target))
    profile = device("any", 1e12, price_usd_per_h=None)
    nodes = [
        Node(name, "router") if name in routers else Node(name, "cloud" if i else "edge", profile)
        for i, name in enumerate(names)
    ]
    return Topology("world", tuple(nodes), links)


class Ends(Programs):
    """Programs at the ends, and round trips as a median and the largest."""

    @property
    def emulation(self) -> Backend:
        return self.links

    async def ping_ms(self, source: str, target: str, count: int = 20) -> tuple[float, float]:
        found_s = await self.ping_s(source, target, count)
        return 1e3 * found_s[len(found_s) // 2], 1e3 * found_s[-1]

    async def carried_bits_per_s(self, busy: Sequence[int], seconds: float) -> list[float]:
        """Return the rate of each channel over some seconds, once those of ``busy`` are."""
        before, began_s = await self._carried()
        while any(before[channel] < 1e4 for channel in busy):
            await asyncio.sleep(0.2)
            before, began_s = await self._carried()
        await asyncio.sleep(seconds)
        after, ended_s = await self._carried()
        return [8 * (b - a) / (ended_s - began_s) for a, b in zip(before, after, strict=True)]

    async def _carried(self) -> tuple[list[int], float]:
        report = await self.emulation.report()
        return [channel.carried_bytes for channel in report.channels], time.monotonic()


Use = Callable[[Ends], Awaitable[T]]
Emulated = Callable[[Topology, Use[T]], T]


@pytest.fixture
def emulated() -> Emulated[Any]:
    """Run a coroutine with the ends of an emulated network, and end that."""
    if reason := why_not():
        pytest.skip(reason)

    return emulated_by("userspace")


def emulated_by(kind: Kind) -> Emulated[Any]:
    """Return what runs a coroutine with the ends of a network of this kind."""

    async def use(topology: Topology, what: Use[T]) -> T:
        with tempfile.TemporaryDirectory() as folder:
            emulation = emulated_links(kind, RUN, Path(folder), topology)
            try:
                await emulation.start()
                emulation.begin(1)
                return await what(Ends(emulation))
            finally:
                await emulation.stop()

    return lambda topology, what: asyncio.run(use(topology, what))
