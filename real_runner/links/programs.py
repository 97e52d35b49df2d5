"""Programs that everybody trusts, at the ends of emulated links: ping and iperf3.

Needs `nsenter` (util-linux), `ping` (iputils-ping) and `iperf3` on the path.
"""

import asyncio
import json
import shutil
import subprocess
from typing import Any, Final

from real_runner.errors import RealRunError
from real_runner.links.backend import Backend

PACKAGES: Final = {"ping": "iputils-ping", "iperf3": "iperf3", "nsenter": "util-linux"}
"""The programs, and the Debian packages that bring them."""
_LISTENING_S, _RETRY_S = 4.0, 0.02


def missing_packages() -> list[str]:
    """Return the Debian packages whose programs are not on the path."""
    return [package for name, package in PACKAGES.items() if shutil.which(name) is None]


class Ends:
    """The nodes of an emulated network that has been started, where programs may be run."""

    def __init__(self, links: Backend) -> None:
        self.links = links

    async def start(self, node: str, *command: str) -> asyncio.subprocess.Process:
        """Start a program on a node, with its output in a pipe."""
        within = ("nsenter", f"--net={self.links.namespace(node)}", *command)
        return await asyncio.create_subprocess_exec(*within, stdout=subprocess.PIPE)

    async def say(self, node: str, *command: str) -> str:
        """Run a program on a node and return what it says."""
        said, _ = await (await self.start(node, *command)).communicate()
        return said.decode()

    async def ping_s(self, source: str, target: str, count: int = 20) -> list[float]:
        """Return the round trips of echoes, shortest first; those that were lost are left out."""
        address = self.links.address(target)
        said = await self.say(source, "ping", "-c", str(count), "-i", "0.05", "-W", "2", address)
        return sorted(
            float(line.split("time=")[1].split()[0]) * 1e-3
            for line in said.splitlines()
            if "time=" in line
        )

    async def iperf(self, source: str, target: str, *options: str, port: int = 5201) -> Any:
        """Return what iperf3 says at the end of a transfer; `RealRunError` where it fails."""
        server = await self.start(target, "iperf3", "-s", "-1", "-p", str(port))
        try:
            await self._until_listening(target, port)
            address = self.links.address(target)
            said = await self.say(source, "iperf3", "-J", "-c", address, "-p", str(port), *options)
            found = json.loads(said)
            if "error" in found:
                raise RealRunError(f"iperf3 from {source} to {target}: {found['error']}")
            return found["end"]
        finally:
            if server.returncode is None:
                server.kill()
            await server.communicate()

    async def _until_listening(self, node: str, port: int) -> None:
        mark = f":{port:04X} "
        for _ in range(round(_LISTENING_S / _RETRY_S)):
            if mark in await self.say(node, "cat", "/proc/net/tcp", "/proc/net/tcp6"):
                return
            await asyncio.sleep(_RETRY_S)
        raise RealRunError(f"iperf3 on {node}: does not listen within {_LISTENING_S:g} s")
