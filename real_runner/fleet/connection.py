"""The orchestrator's stream to one worker: commands go out, reports come in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import grpc

from real_runner.control.messages import METHOD, control
from real_runner.errors import RealRunError
from real_runner.wire.credentials import Credentials
from real_runner.wire.limits import Limits
from real_runner.wire.options import channel_options

NS = 1e-9
CLOSING_TIMEOUT_S = 2.0
REACH_TIMEOUT_S = 10.0
RETRY_S = 0.05
_SAME_CLOCK_NS = 0
_STRANGE = control.Report(
    failed=control.Failed(
        reason="it speaks another version of the protocol; install the same Tessera on both"
    )
)


class Connection:
    """One worker as the orchestrator sees it.

    ``heard`` is given every report but pongs; ``lost`` is told once, with the reason, when the
    stream ends though nobody closed it.
    """

    def __init__(
        self,
        node: str,
        channel: Any,
        heard: Callable[[str, Any], None],
        lost: Callable[[str, str], None],
    ) -> None:
        self.node = node
        self.channel = channel
        self.offset_ns = _SAME_CLOCK_NS
        """What the worker's clock shows more than ours."""
        self.heard_ns = time.monotonic_ns()
        self._heard = heard
        self._lost = lost
        self._commands: asyncio.Queue[Any] = asyncio.Queue()
        self._awaited: dict[int, asyncio.Future[None]] = {}
        self._shortest_ns = float("inf")
        self._shares_clock = False
        self._closing = False
        self._writing: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    async def open(self, setup: Any, boot_id: str, timeout_s: float) -> Any:
        """Set the worker up and return its `control.Ready`; `RealRunError` where it cannot be."""
        call = self.channel.stream_stream(
            METHOD,
            request_serializer=control.Command.SerializeToString,
            response_deserializer=control.Reports.FromString,
        )()
        self.send(setup=setup)
        self._writing = asyncio.create_task(self._write(call))
        messages = aiter(call)
        try:
            said = await asyncio.wait_for(anext(messages), timeout_s)
        except TimeoutError:
            call.cancel()
            raise RealRunError(f"node {self.node!r}: no answer within {timeout_s:g} s") from None
        except (grpc.aio.AioRpcError, StopAsyncIteration) as error:
            raise RealRunError(f"node {self.node!r}: {_why(error)}") from error
        self._listening = asyncio.create_task(self._listen(messages))
        first = next(iter(said.reports), _STRANGE)
        if first.WhichOneof("what") != "ready":
            self._closing = True
            raise RealRunError(f"node {self.node!r}: {first.failed.reason}")
        self._shares_clock = first.ready.boot_id == boot_id
        return first.ready

    def send(self, **command: Any) -> None:
        """Send a command, given as the one field of `control.Command` that it has."""
        self._commands.put_nowait(control.Command(**command))

    def ping(self) -> None:
        """Ask for a sign of life, by which clocks are compared, too."""
        self.send(ping=control.Ping(sent_ns=time.monotonic_ns()))

    async def obeyed(self) -> None:
        """Return once the worker has done all that it was commanded before."""
        sent_ns = time.monotonic_ns()
        self._awaited[sent_ns] = done = asyncio.get_running_loop().create_future()
        self.send(ping=control.Ping(sent_ns=sent_ns))
        await done

    async def close(self) -> None:
        """End the stream and the channel."""
        self._commands.put_nowait(None)
        if self._listening is not None:
            self._closing = True
            _, late = await asyncio.wait([self._listening], timeout=CLOSING_TIMEOUT_S)
            for task in late:  # the worker hangs, or is dead
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing
        await self.channel.close()

    async def _write(self, call: Any) -> None:
        """Send what is to be sent until the end; why writing fails, the reports will tell."""
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while (command := await self._commands.get()) is not None:
                await call.write(command)
            await call.done_writing()

    async def _listen(self, messages: AsyncIterator[Any]) -> None:
        reason = "its stream ended"
        try:
            async for message in messages:
                self.heard_ns = time.monotonic_ns()
                for report in message.reports:
                    what = report.WhichOneof("what")
                    if what == "pong":
                        self._compare(report.pong)
                    elif what == "failed":
                        reason = report.failed.reason
                    else:
                        self._heard(self.node, report)
        except grpc.aio.AioRpcError as error:
            reason = _why(error)
        for waiting in self._awaited.values():
            waiting.cancel()
        if not self._closing:
            self._lost(self.node, reason)

    def _compare(self, pong: Any) -> None:
        """Estimate the clock offset from the quickest exchange (as NTP does, RFC 5905)."""
        awaited = self._awaited.pop(pong.sent_ns, None)
        if awaited is not None and not awaited.done():
            awaited.set_result(None)
        round_trip_ns = self.heard_ns - pong.sent_ns
        if not self._shares_clock and round_trip_ns < self._shortest_ns:
            self._shortest_ns = round_trip_ns
            self.offset_ns = pong.now_ns - (pong.sent_ns + self.heard_ns) // 2


def channel_to(node: str, address: str, credentials: Credentials | None) -> Any:
    """Return a channel to a worker, which must prove to be ``node`` where there are credentials."""
    options = channel_options(Limits())
    if credentials is None:
        return grpc.aio.insecure_channel(address, options)
    named = ("grpc.ssl_target_name_override", node)
    return grpc.aio.secure_channel(address, credentials.for_channel(), [*options, named])


async def reach(node: str, channel: Any) -> None:
    """Return once the worker at the other end answers; `RealRunError` says why it does not."""
    check = channel.unary_unary("/grpc.health.v1.Health/Check")  # whose request may be empty
    end_s = time.monotonic() + REACH_TIMEOUT_S
    while True:
        try:
            await check(b"", timeout=REACH_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            reason = _why(error)
            if any(mark in reason for mark in _IMPOSTOR):
                raise RealRunError(
                    f"node {node!r}: {reason}; what listens there has not the credentials that "
                    "were made for this node together with the orchestrator's"
                ) from error
            if time.monotonic() > end_s:
                raise RealRunError(f"node {node!r}: {reason}; is its worker running?") from error
            await asyncio.sleep(RETRY_S)
        else:
            return


_IMPOSTOR = ("TSI_PROTOCOL_FAILURE", "Verification Check failed")


def _why(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return " ".join((error.details() or error.code().name).split())
    return "it ended the stream"
