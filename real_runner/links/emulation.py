"""The orchestrator's side of emulated links: starts their process, commands it, reads it.

The process is told what to make in files of the run's folder, and says lines of JSON: first
``{"namespaces": [DESCRIPTOR, ...], "process": PID}``, where ``/proc/PID/fd/DESCRIPTOR`` is the
namespace of the node with that number, and then what it knows of itself (`Ready`). Commands are
lines on its standard input, as the head of userspace/forwarder.c lists them.
"""

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from real_runner.errors import RealRunError
from real_runner.links.backend import Counted, Report
from real_runner.links.network import Network
from real_runner.wakefulness import kept_awake

ANSWER_TIMEOUT_S: Final = 10.0
START_TIMEOUT_S: Final = 20.0
START_PER_NODE_S: Final = 3.0
"""What may pass until the links are there: a guest's processes are slow to start."""
PER_NODE: Final = 4
"""Descriptors that the link process needs for a node, with some to spare."""

Prepare = Callable[[Network, Path], Sequence[str]]
"""Writes orders into a folder, and returns the module to start and its arguments."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a link process knows of itself once its links are there."""

    realtime: bool = False
    offloads: str = ""
    losses: str = ""


class Emulation:
    """The emulated links of one run, by a process that ``prepare`` says; ``folder`` is the run's.

    Namespaces and devices have no names: the kernel removes them with the last process in them.
    Processors are kept awake meanwhile, where that is allowed, lest packets be late.
    """

    def __init__(
        self, name: str, run: str, folder: Path, network: Network, prepare: Prepare
    ) -> None:
        self.name = name
        self.network = network
        self._run = run
        self._folder = folder
        self._prepare = prepare
        self._process: asyncio.subprocess.Process | None = None
        self._namespaces: dict[str, str] = {}
        self._ready = _Ready()
        self._wakefulness = ExitStack()

    async def start(self) -> None:
        """Start the link process; `RealRunError` where this machine cannot emulate links."""
        self._wakefulness.enter_context(kept_awake())
        module, *arguments = await asyncio.to_thread(self._prepare, self.network, self._folder)
        _allow_descriptors(PER_NODE * len(self.network.nodes))
        command = ("-m", module, f"--run={self._run}", str(self._folder), *arguments)
        paths = os.pathsep.join(path for path in sys.path if path)
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *command,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                env={**os.environ, "PYTHONPATH": paths},
                start_new_session=True,  # an interrupt from the terminal is for us to pass on
                limit=1 << 24,
            )  # fmt: skip
        patience_s = START_TIMEOUT_S + START_PER_NODE_S * len(self.network.nodes)
        places = await self._next(patience_s)
        self._namespaces = {
            node: f"/proc/{places['process']}/fd/{number}"
            for node, number in zip(self.network.nodes, places["namespaces"], strict=True)
        }
        self._ready = _Ready(**await self._next(ANSWER_TIMEOUT_S))

    @property
    def realtime(self) -> bool:
        """Whether what releases packets goes before ordinary processes."""
        return self._ready.realtime

    @property
    def offloads(self) -> str:
        """What is known of segmentation offloads, a line."""
        return self._ready.offloads

    @property
    def losses(self) -> str:
        """Whether a seed says which packets are lost, a word."""
        return self._ready.losses

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
        return self._why_ended()

    def set_factor(self, link: str, factor: float) -> None:
        """Run a link of this name, both ways, at ``factor`` times its rate; 0 stalls it."""
        names = [each.name for each in self.network.topology.links]
        self._command(f"factor {names.index(link)} {factor!r}")

    def set_silent(self, node: str, *, silent: bool) -> None:
        """Let nothing of what a node sends get anywhere, as of one that has crashed."""
        word = "silence" if silent else "speak"
        self._command(f"{word} {self.network.nodes.index(node)}")

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
        self._wakefulness.close()
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        self._process = None

    @property
    def _log(self) -> Path:
        return self._folder / "links.log"

    def _why_ended(self) -> RealRunError:
        return RealRunError(f"{self.name} links: {_last_line(self._log)}")

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
            raise RealRunError(f"{self.name} links: no answer within {timeout_s:g} s") from None
        if not line:
            raise self._why_ended()
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
