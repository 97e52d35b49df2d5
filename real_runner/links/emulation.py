"""The orchestrator's side of emulated links: starts the link process, commands it, reads it."""

import asyncio
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from real_runner.errors import RealRunError
from real_runner.links.compiling import forwarder
from real_runner.links.network import Network
from real_runner.links.orders import write_orders
from topologies.topology import Topology

ANSWER_TIMEOUT_S = 10.0
PER_NODE = 4
"""Descriptors that the link process needs for a node, with some to spare."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a channel has carried since the run began, framing included.

    ``dropped_packets`` found its queue full, ``lost_packets`` were lost as the link's loss says.
    """

    carried_bytes: int
    packets: int
    dropped_packets: int
    lost_packets: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the link process has done since the run began, by channel.

    ``stray_packets`` were for nobody, ``refused_packets`` their node's kernel did not take.
    ``late_*_s``: how long after their moment packets were handed to their node.
    """

    delivered_packets: int
    stray_packets: int
    refused_packets: int
    late_p50_s: float
    late_p99_s: float
    late_max_s: float
    channels: tuple[Counted, ...]


class Emulation:
    """The emulated links of one run; ``folder`` is the run's.

    Namespaces and devices have no names: the kernel removes them with the last process in them.
    """

    def __init__(self, run: str, folder: Path, topology: Topology) -> None:
        self.network = Network(topology)
        self.realtime = False
        """Whether the kernel gives it real-time priority."""
        self._run = run
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._namespaces: dict[str, str] = {}

    async def start(self) -> None:
        """Start the link process; `RealRunError` where this machine cannot emulate links."""
        program = await asyncio.to_thread(forwarder)
        await asyncio.to_thread(write_orders, self.network, program, self._folder)
        _allow_descriptors(PER_NODE * len(self.network.nodes))
        command = ("-m", "real_runner.links.process", f"--run={self._run}", str(self._folder))
        paths = os.pathsep.join(path for path in sys.path if path)
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *command,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                env={**os.environ, "PYTHONPATH": paths},
                start_new_session=True,  # an interrupt from the terminal is for us to pass on
                limit=1 << 24,
            )  # fmt: skip
        numbers = (await self._next(2 * ANSWER_TIMEOUT_S))["namespaces"]
        self._namespaces = {
            node: f"/proc/{self._process.pid}/fd/{number}"
            for node, number in zip(self.network.nodes, numbers, strict=True)
        }
        self.realtime = bool((await self._next(ANSWER_TIMEOUT_S))["realtime"])

    def address(self, node: str) -> str:
        """Return a node's address, where its peers reach it."""
        return self.network.address(node)

    def namespace(self, node: str) -> str:
        """Return the path of a node's namespace, to be entered while the links last."""
        return self._namespaces[node]

    def begin(self, seed: int) -> None:
        """Let schedules begin now, drop packets as ``seed`` says, and count from here on."""
        self._command(f"begin {seed % 2**64}")

    def rest(self) -> None:
        """End schedules and faults: links have the rates and delays that they are believed to."""
        self._command("rest")

    @property
    def alive(self) -> bool:
        """Whether the link process runs."""
        return self._process is not None and self._process.returncode is None

    async def ended(self) -> RealRunError:
        """Wait until the link process has ended, and return why it has."""
        assert self._process is not None  # noqa: S101 - started first
        await self._process.wait()
        return RealRunError(f"userspace links: {_last_line(self._log)}")

    def set_factor(self, link: str, factor: float) -> None:
        """Run a link of this name, both ways, at ``factor`` times its rate; 0 stalls it."""
        names = [each.name for each in self.network.topology.links]
        self._command(f"factor {names.index(link)} {factor!r}")

    async def report(self) -> Report:
        """Return what was counted; to be awaited by one caller at a time."""
        self._command("report")
        found = await self._next(ANSWER_TIMEOUT_S)
        return Report(
            found["delivered"], found["stray"], found["refused"],
            found["late_p50_s"], found["late_p99_s"], found["late_max_s"],
            tuple(Counted(*each) for each in found["channels"]),
        )  # fmt: skip

    async def stop(self) -> None:
        """End the link process, and with it the devices."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        self._process = None

    @property
    def _log(self) -> Path:
        return self._folder / "links.log"

    def _command(self, line: str) -> None:
        assert self._process is not None  # noqa: S101 - started first
        assert self._process.stdin is not None  # noqa: S101 - a pipe
        self._process.stdin.write(line.encode() + b"\n")

    async def _next(self, timeout_s: float) -> dict[str, Any]:
        assert self._process is not None  # noqa: S101 - started first
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), timeout_s)
        except TimeoutError:
            raise RealRunError(f"userspace links: no answer within {timeout_s:g} s") from None
        if not line:
            raise RealRunError(f"userspace links: {_last_line(self._log)}")
        found: dict[str, Any] = json.loads(line)
        return found


def _allow_descriptors(wanted: int) -> None:
    """Raise this process's bound, which children inherit, as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + 256
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "the link process ended and said nothing"
