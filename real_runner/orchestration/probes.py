"""A byte each way between the trusted nodes and all others, twice, before the first request.

The first opens the connections that are kept warm, and shows who cannot be reached; the second
tells how long a way takes.
"""

import asyncio
from typing import Any

from real_runner.control.messages import control
from real_runner.errors import RealRunError
from real_runner.fleet.fleet import Fleet
from real_runner.orchestration.clock import Clock
from real_runner.wire.payloads import payload_message
from real_runner.workers.worker import PROBE
from topologies.topology import Topology

TIMEOUT_S = 30.0
"""Of the model, so that links that are slow by dilation have as much longer."""


class Probes:
    """The probes of one run; ``job`` is the number they go by."""

    def __init__(self, topology: Topology, fleet: Fleet, job: int, clock: Clock) -> None:
        trusted = [node.name for node in topology.nodes if node.trusted]
        there = [(t, o) for t in trusted for o in fleet.nodes if o != t and o in fleet.workers]
        ways = dict.fromkeys(
            way for t, o in there if t in fleet.workers for way in ((t, o), (o, t))
        )
        self.job = job
        self._timeout_s = clock.wall_s(TIMEOUT_S)
        self._fleet = fleet
        self._ways = list(ways)
        self._open: set[int] = set()
        self._done = asyncio.get_running_loop().create_future()
        self.is_measuring = False
        """Whether what arrives tells how long its way takes."""

    async def send(self) -> None:
        """Send all and wait until they have arrived; `RealRunError` names a way that is closed."""
        if not self._ways:
            return
        await self._send_once()
        self.is_measuring = True
        await self._send_once()
        for node in self._fleet.nodes:
            self._fleet.send(node, forget=control.Forget(jobs=[self.job]))

    async def _send_once(self) -> None:
        self._open = set(range(len(self._ways)))
        self._done = asyncio.get_running_loop().create_future()
        for number, (source, target) in enumerate(self._ways):
            transfer = control.Transfer(target=target, payload=payload_message(PROBE), codec="fp32")
            task = control.Task(step=number, transfer=transfer)
            tasks = control.Tasks(job=self.job, timeout_s=self._timeout_s, tasks=[task])
            self._fleet.send(source, tasks=tasks)
        try:
            await asyncio.wait_for(self._done, 2 * self._timeout_s)
        except TimeoutError:
            self._complain(min(self._open), f"nothing arrived within {2 * self._timeout_s:g} s")

    def heard(self, report: Any) -> None:
        """Take a report on one of the probes."""
        what = report.WhichOneof("what")
        if what == "finished":
            self._open.discard(report.finished.id.step)
            if not self._open and not self._done.done():
                self._done.set_result(None)
        elif what == "lost" and not self._done.done():
            try:
                self._complain(report.lost.id.step, report.lost.reason)
            except RealRunError as error:
                self._done.set_exception(error)

    def _complain(self, number: int, reason: str) -> None:
        source, target = self._ways[number]
        raise RealRunError(f"node {source!r} cannot reach node {target!r}: {reason}")
