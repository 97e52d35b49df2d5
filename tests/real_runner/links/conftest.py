"""Emulated links for a test, and real programs at their ends."""

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

pytest.importorskip("pyroute2", reason="pip install 'tessera[real]'")

from real_runner.links.emulation import Emulation
from tests.conftest import device
from topologies.topology import Link, Node, Topology

T = TypeVar("T")
RUN = "test-links"
PROGRAMS = {"ping": "iputils-ping", "iperf3": "iperf3", "nsenter": "util-linux", "cc": "gcc"}


def why_not() -> str:
    """Return what this machine lacks to emulate links and to test them; nothing where it can."""
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "emulated links need root and /dev/net/tun"
    missing = [package for name, package in PROGRAMS.items() if shutil.which(name) is None]
    return f"apt-get install {' '.join(missing)}" if missing else ""


def world(*links: Link) -> Topology:
    """Return a topology of these links, whose nodes all compute; the first is the edge."""
    names = dict.fromkeys(end for link in links for end in (link.source, link.target))
    profile = device("any", 1e12, price_usd_per_h=None)
    nodes = [Node(name, "cloud" if i else "edge", profile) for i, name in enumerate(names)]
    return Topology("world", tuple(nodes), links)


class Ends:
    """The nodes of an emulated network, where programs may be run."""

    def __init__(self, emulation: Emulation) -> None:
        self.emulation = emulation

    async def start(self, node: str, *command: str) -> asyncio.subprocess.Process:
        within = ("nsenter", f"--net={self.emulation.namespace(node)}", *command)
        return await asyncio.create_subprocess_exec(*within, stdout=subprocess.PIPE)

    async def say(self, node: str, *command: str) -> str:
        """Run a program on a node and return what it says."""
        said, _ = await (await self.start(node, *command)).communicate()
        return said.decode()

    async def ping_ms(self, source: str, target: str, count: int = 20) -> tuple[float, float]:
        """Return the median and the largest round trip."""
        address = self.emulation.address(target)
        said = await self.say(source, "ping", "-c", str(count), "-i", "0.05", address)
        found = sorted(
            float(line.split("time=")[1].split()[0])
            for line in said.splitlines()
            if "time=" in line
        )
        return found[len(found) // 2], found[-1]

    async def iperf(self, source: str, target: str, *options: str, port: int = 5201) -> Any:
        """Return what iperf3 says at the end of a transfer."""
        server = await self.start(target, "iperf3", "-s", "-1", "-p", str(port))
        try:
            await self._until_listening(target, port)
            address = self.emulation.address(target)
            said = await self.say(source, "iperf3", "-J", "-c", address, "-p", str(port), *options)
            return json.loads(said)["end"]
        finally:
            if server.returncode is None:
                server.kill()
            await server.communicate()

    async def _until_listening(self, node: str, port: int) -> None:
        for _ in range(200):
            if f":{port:04X} " in await self.say(node, "cat", "/proc/net/tcp", "/proc/net/tcp6"):
                return
            await asyncio.sleep(0.02)
        raise AssertionError("iperf3 does not listen")


Use = Callable[[Ends], Awaitable[T]]
Emulated = Callable[[Topology, Use[T]], T]


@pytest.fixture
def emulated() -> Emulated[Any]:
    """Run a coroutine with the ends of an emulated network, and end that."""
    if reason := why_not():
        pytest.skip(reason)

    async def use(topology: Topology, what: Use[T]) -> T:
        with tempfile.TemporaryDirectory() as folder:
            emulation = Emulation(RUN, Path(folder), topology)
            try:
                await emulation.start()
                emulation.begin(1)
                return await what(Ends(emulation))
            finally:
                await emulation.stop()

    return lambda topology, what: asyncio.run(use(topology, what))
