"""A worker as a server: peers bring it parcels, one orchestrator commands it.

The orchestrator's stream is the worker's life: what it sets up ends with the stream, and the next
orchestrator finds an empty node.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any, NoReturn

import grpc
from pydantic import ValidationError

from real_runner.control.messages import ORCHESTRATOR, VERSION, control
from real_runner.control.weights import WeightsHandler
from real_runner.deployment import NodeSpec
from real_runner.errors import RealRunError, StepError
from real_runner.wire.credentials import Credentials
from real_runner.wire.limits import Limits
from real_runner.wire.receiving import Post
from real_runner.wire.sending import Courier
from real_runner.wire.server import peer_name, serve
from real_runner.workers.assembly import bound_threads, executor_for, versions
from real_runner.workers.confinement import confine
from real_runner.workers.device import Device
from real_runner.workers.outbox import Outbox
from real_runner.workers.together import Gatherer
from real_runner.workers.worker import Worker

SWITCH_INTERVAL_S = 0.0005
"""How long a thread keeps the interpreter while another waits for it: ten times less than usual,
since a computation's thread and the event loop take turns at every step."""


def serve_node(
    addresses: Sequence[str],
    credentials: Path | None,
    announce: Callable[[str, str], None] = lambda *_: None,
    folder: Path | None = None,
    limits: Limits | None = None,
) -> None:
    """Serve at ``addresses``, the last of which is the one for peers, until told to stop.

    ``announce`` is told the node's name, where there is a certificate, and that address.
    Weights that are pushed to it lie below ``folder``, or where temporary files do. ``limits`` are
    those of its server, by default the usual ones.
    """
    known = Credentials.load(credentials) if credentials else None
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    asyncio.run(_serve(addresses, known, announce, folder, limits or Limits()))


async def _serve(
    addresses: Sequence[str],
    credentials: Credentials | None,
    announce: Callable[[str, str], None],
    below: Path | None,
    limits: Limits,
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    with tempfile.TemporaryDirectory(prefix="tessera-weights-", dir=below) as folder:
        node = _Node(credentials, Path(folder))
        server = await serve(addresses, credentials, node.handlers(), limits)
        node.address = server.addresses[-1]
        announce(credentials.node if credentials else "", node.address)
        await stopped.wait()
        await server.stop()


class _Node:
    """What there is of a worker before an orchestrator has come, and after it has gone."""

    def __init__(self, credentials: Credentials | None, folder: Path) -> None:
        self.address = ""
        self.credentials = credentials
        self.post = Post(Limits())
        self.weights = WeightsHandler(folder, secured=credentials is not None)
        self._busy = False
        self.processors = os.sched_getaffinity(0)
        """What it may use at most, whatever single runs confine it to."""

    def handlers(self) -> list[Any]:
        """Return what the server is to serve."""
        stream = grpc.stream_stream_rpc_method_handler(
            self._work,
            request_deserializer=control.Command.FromString,
            response_serializer=control.Reports.SerializeToString,
        )
        ours = grpc.method_handlers_generic_handler("tessera.Control", {"Work": stream})
        return [ours, self.post.handler(), self.weights.handler()]

    async def _work(self, commands: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        if self.credentials is not None and peer_name(context) != ORCHESTRATOR:
            reason = f"only {ORCHESTRATOR!r} commands workers, not {peer_name(context)!r}"
            await _turn_away(commands, context, grpc.StatusCode.PERMISSION_DENIED, reason)
        if self._busy:
            reason = "another orchestrator is here"
            await _turn_away(commands, context, grpc.StatusCode.UNAVAILABLE, reason)
        self._busy = True
        session = _Session(self)
        obeying = asyncio.create_task(session.obey(commands))
        try:
            async for reports in session.outbox.messages():
                yield reports
        finally:
            obeying.cancel()
            with suppress(asyncio.CancelledError):
                await obeying
            try:
                await session.close()
            finally:
                self._busy = False


async def _turn_away(
    commands: AsyncIterator[Any], context: Any, code: grpc.StatusCode, reason: str
) -> NoReturn:
    """End a stream, but not before its first command: whose writing fails learns no reason."""
    await anext(aiter(commands), None)
    await context.abort(code, reason)
    raise AssertionError(reason)  # never: what aborts a call raises


class _Session:
    """One orchestrator's stay: it sets the node up, commands it, and leaves."""

    def __init__(self, node: _Node) -> None:
        self.outbox = Outbox()
        self._node = node
        self._addresses: dict[str, str] = {}
        self._worker: Worker | None = None
        self._device: Device | None = None

    async def obey(self, commands: AsyncIterator[Any]) -> None:
        """Do what is commanded until the orchestrator leaves, then end the reports."""
        try:
            async for command in commands:
                await self._do(command)
        except (RealRunError, ValidationError) as error:
            self.outbox.tell(failed=control.Failed(reason=" ".join(str(error).split())))
        except Exception as error:  # noqa: BLE001 - the next orchestrator is to find it well
            traceback.print_exc()
            self.outbox.tell(failed=control.Failed(reason=f"{type(error).__name__}: {error}"))
        finally:
            self.outbox.end()

    async def close(self) -> None:
        """Undo what was set up."""
        self._node.post.close()
        if self._worker is not None:
            await self._worker.close()

    async def _do(self, command: Any) -> None:  # noqa: C901, PLR0912 - one line per command
        what = command.WhichOneof("what")
        if what == "setup":
            await self._set_up(command.setup)
        elif what == "ping":
            self.outbox.tell(
                pong=control.Pong(sent_ns=command.ping.sent_ns, now_ns=time.monotonic_ns())
            )
        elif self._worker is None or self._device is None:
            raise RealRunError(f"command {what!r} before 'setup'")
        elif what == "tasks":
            self._begin(self._worker, command.tasks)
        elif what == "keep":
            self._worker.keep(command.keep)
        elif what == "cancel":
            step = command.cancel.id
            self._worker.cancel((step.job, step.attempt, step.step))
        elif what == "forget":
            for job in command.forget.jobs:
                self._worker.forget(job)
        elif what == "ask":
            self._worker.answer(command.ask.job, command.ask.payload)
        elif what == "speed":
            self._device.set_speed(command.speed.factor)
        elif what == "gate":
            await self._worker.gates.close(command.gate.closed)
        elif what == "peers":
            self._meet(command.peers.addresses)
        else:
            raise RealRunError(f"command {what!r} is unknown; are both sides of one version?")

    def _begin(self, worker: Worker, message: Any) -> None:
        try:
            worker.give(message.inputs)
        except StepError as error:
            place = control.StepId(job=message.inputs[0].job)
            self.outbox.tell(
                malformed=control.Malformed(id=place, source=ORCHESTRATOR, reason=str(error))
            )
        worker.begin(message)

    def _meet(self, addresses: Any) -> None:
        self._addresses.clear()
        self._addresses.update(addresses)
        self._node.post.know(self._addresses)

    async def _set_up(self, setup: Any) -> None:
        """Become node ``setup.node`` and say so."""
        if setup.version != VERSION:
            raise RealRunError(
                f"node {setup.node!r} speaks version {VERSION} of the protocol, the orchestrator "
                f"{setup.version}; install the same Tessera on both"
            )
        node, spec = self._node, NodeSpec.model_validate_json(setup.spec)
        confine(spec, setup.node, node.processors)
        weights = Path(setup.weights) if setup.weights else node.weights.received
        executor = await asyncio.to_thread(
            executor_for, spec, setup.model, weights, setup.caches_bytes or inf
        )
        dilation = setup.dilation or 1.0
        limits = Limits().dilated(dilation)
        courier = Courier(setup.node, node.credentials, self._addresses, limits)
        bound_threads(spec)
        self._device = Device(setup.slots, lambda: bound_threads(spec))
        gatherer = None
        if setup.HasField("batch"):
            batch = setup.batch
            gatherer = Gatherer(self._device, executor, batch.largest, batch.wait_s)
        self._worker = Worker(
            setup.run,
            setup.node,
            executor,
            self._device,
            courier,
            self.outbox.tell,
            limits,
            compress=setup.compress,
            gatherer=gatherer,
        )
        node.post.open(setup.run, setup.node, self._worker.accept, self._worker.refused, dilation)
        ready = control.Ready(
            address=node.address, boot_id=_boot_id(), pid=os.getpid(), versions=versions(spec)
        )
        self.outbox.tell(ready=ready)


def _boot_id() -> str:
    """Return what tells machines, and their clocks, apart."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else f"{sys.platform}-{os.getpid()}"
