"""Parcels as they come in: each is checked against who sent it and what it announced.

Nothing of a message is believed before it is checked, no memory is set aside that was not
promised by `Room`, and whatever is refused leaves one line of reason with the sender and here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import xxhash

from real_runner.errors import StepError
from real_runner.executor import Array, is_bytes
from real_runner.wire.codecs import Bytes, decode, is_plain
from real_runner.wire.compression import decompress
from real_runner.wire.headers import Announced, read_header
from real_runner.wire.limits import Limits
from real_runner.wire.parcel import SERVICE, Parcel
from real_runner.wire.room import NoRoomError, Room
from real_runner.wire.server import is_secure, peer_name

Accept = Callable[[Parcel, int], Awaitable[None]]
"""Takes a parcel and when it was there, decoded (this node's CLOCK_MONOTONIC, nanoseconds);
raises `StepError` where it is of no use."""

Refused = Callable[[str, int, int, str], None]
"""Is told of a parcel that is no good, and not of one that there is no room or time for: source,
job, step, reason. The source is the one that the certificate names, where there is one; job and
step are `UNKNOWN` where no header could be read."""

UNKNOWN = -1

_LONGEST_REASON = 500
_NO_FAULT = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED)
"""What may be the receiver's own doing, or the network's: the sender is told, but not accused."""
_AFTERMATH_S = 0.05
"""To gRPC a stream that the sender has cancelled looks as if it had ended. The cancellation follows
and ends the handler: it must not be taken for a parcel that is too short."""
_Code = grpc.StatusCode


class Post:
    """Serves ``/tessera.Post/Deliver`` for one node of one run at a time, once it is `open`."""

    def __init__(self, limits: Limits) -> None:
        self.room = Room(limits)
        self._limits = limits
        self._desk: _Desk | None = None
        self._known: Collection[str] = ()

    def open(self, run: str, node: str, accept: Accept, refused: Refused) -> None:
        """Take in what is meant for ``node`` in ``run``."""
        self._desk = _Desk(run, node, accept, refused)

    def know(self, nodes: Collection[str]) -> None:
        """Take in what comes from these nodes, and no other; the collection may change later."""
        self._known = nodes

    def close(self) -> None:
        """Take nothing more in; what is under way comes to its end."""
        self._desk, self._known = None, ()

    def handler(self) -> Any:
        """Return what a server is to be given."""
        method = grpc.stream_unary_rpc_method_handler(self._deliver)
        return grpc.method_handlers_generic_handler(SERVICE, {"Deliver": method})

    async def _deliver(self, _: object, context: Any) -> bytes:
        delivery = _Delivery(context, self._limits)
        desk = self._desk
        if desk is None:
            await context.abort(_Code.FAILED_PRECONDITION, "this node takes part in no run")
            return b""
        refusal = await self._attempt(delivery, desk, context)
        if refusal is not None:
            # Not where the error was caught: gRPC keeps what it raises until a garbage collection,
            # and with it would keep all that led there, tensors included.
            if refusal[0] not in _NO_FAULT:
                desk.refused(*delivery.culprit, refusal[1])
            await context.abort(*refusal)
        return b""

    async def _attempt(
        self, delivery: "_Delivery", desk: "_Desk", context: Any
    ) -> tuple[grpc.StatusCode, str] | None:
        """Take a parcel in; return why not, if so."""
        try:
            with self.room.parcel():
                async with delivery.patience:
                    announced = await delivery.announced()
                    desk.check(announced, context, self._known)
                    with self.room.hold(announced.held_bytes):
                        await self._take(delivery, announced, desk)
        except (StepError, NoRoomError) as error:
            return _status(error), _line(str(error))
        except TimeoutError:
            if not delivery.patience.expired():
                raise
            return _Code.DEADLINE_EXCEEDED, "content: nothing came for too long"
        return None

    async def _take(self, delivery: "_Delivery", announced: Announced, desk: "_Desk") -> None:
        """Receive, decode and hand over."""
        data = await delivery.content(announced)
        array = await self._decoded(data, announced)
        delivery.patience.reschedule(None)  # from here it is this node that takes its time
        try:
            await desk.accept(announced.parcel(array), time.monotonic_ns())
        except StepError as error:
            raise _UnwantedError(str(error)) from error

    async def _decoded(self, data: Bytes, announced: Announced) -> Array:
        as_is = is_bytes(announced.payload) or is_plain(announced.codec, announced.dtype)
        if announced.plain_bytes <= self._limits.aside_bytes or (
            as_is and not announced.compressed
        ):
            return _decode(data, announced)
        return await asyncio.to_thread(_decode, data, announced)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Whom parcels are for."""

    run: str
    node: str
    accept: Accept
    refused: Refused

    def check(self, announced: Announced, context: Any, known: Collection[str]) -> None:
        """Refuse a parcel of another run, for another node, or from who is not its source."""
        if announced.run != self.run:
            raise StepError(f"header: run {announced.run!r}; this node is in run {self.run!r}")
        if announced.target != self.node:
            raise StepError(f"header: target {announced.target!r}; this is {self.node!r}")
        if is_secure(context) and peer_name(context) != announced.source:
            raise _ImpostorError(
                f"header: source {announced.source!r}, but the certificate is that of "
                f"{peer_name(context)!r}"
            )
        if announced.source not in known:
            raise _ImpostorError(f"header: source {announced.source!r} is no node of this run")


class _ImpostorError(StepError):
    """Somebody claims to be somebody else."""


class _DamagedError(StepError):
    """Other bytes came than were sent."""


class _UnwantedError(StepError):
    """The parcel is sound, but this node has no use for it."""


class _Delivery:
    """One stream of messages coming in, and how long it may take."""

    def __init__(self, context: Any, limits: Limits) -> None:
        now_s = asyncio.get_running_loop().time()
        self.patience = asyncio.timeout(limits.stall_s)
        self.culprit = (peer_name(context), UNKNOWN, UNKNOWN)
        self._last_s = now_s + limits.delivery_s
        self._context = context
        self._limits = limits

    async def announced(self) -> Announced:
        """Return what the first message announces."""
        message = await self._context.read()
        if message is grpc.aio.EOF:
            await asyncio.sleep(_AFTERMATH_S)
            raise StepError("header: the stream ended before it")
        announced = read_header(message, self._limits)
        source = self.culprit[0] or announced.source
        self.culprit = (source, announced.job, announced.step)
        return announced

    async def content(self, announced: Announced) -> Bytes:
        """Return all bytes that follow the header, as they were sent."""
        data = np.empty(announced.size_bytes, np.uint8)
        view, digest, filled = data.data, xxhash.xxh3_64(), 0
        loop = asyncio.get_running_loop()
        while (message := await self._context.read()) is not grpc.aio.EOF:
            end = filled + len(message)
            if not message or end > len(view):
                raise StepError(
                    f"content: {end} bytes and more where {len(view)} were announced"
                    if message
                    else "content: an empty message"
                )
            view[filled:end] = message
            digest.update(message)
            filled = end
            self.patience.reschedule(min(self._last_s, loop.time() + self._limits.stall_s))
        if filled < len(view):
            await asyncio.sleep(_AFTERMATH_S)
            raise StepError(f"content: {filled} bytes came where {len(view)} were announced")
        if digest.intdigest() != announced.checksum:
            raise _DamagedError("content: the checksum is that of other bytes")
        return data


def _decode(data: Bytes, announced: Announced) -> Array:
    plain = decompress(data, announced.plain_bytes) if announced.compressed else data
    if is_bytes(announced.payload):
        return plain
    return decode(plain, announced.codec, (announced.shape[0], announced.shape[1]), announced.dtype)


def _status(error: Exception) -> grpc.StatusCode:
    match error:
        case NoRoomError():
            return _Code.RESOURCE_EXHAUSTED
        case _ImpostorError():
            return _Code.PERMISSION_DENIED
        case _DamagedError():
            return _Code.DATA_LOSS
        case _UnwantedError():
            return _Code.FAILED_PRECONDITION
    return _Code.INVALID_ARGUMENT


def _line(reason: str) -> str:
    return " ".join(reason.split())[:_LONGEST_REASON]
