"""Parcels on their way out: one warm connection per peer, a deadline, one more try where it helps.

A receiver takes the same parcel a second time without harm, so a parcel whose connection could
not be had, or broke, is sent again until its time is up.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import grpc
import xxhash

from real_runner.errors import StepError
from real_runner.executor import is_bytes
from real_runner.wire.codecs import Bytes, as_bytes, encode, is_plain
from real_runner.wire.compression import compress as compress_bytes
from real_runner.wire.credentials import Credentials
from real_runner.wire.headers import check_array, plain_bytes, write_header
from real_runner.wire.limits import Limits
from real_runner.wire.options import channel_options
from real_runner.wire.parcel import METHOD, Parcel

Kind = Literal["unreachable", "timeout", "refused", "exhausted"]

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0


class Undelivered(StepError):  # noqa: N818 - it says what became of the parcel
    """A parcel did not arrive: ``kind`` for programs, ``reason`` for people."""

    def __init__(self, target: str, kind: Kind, reason: str) -> None:
        super().__init__(f"parcel for {target!r}: {kind}: {reason}")
        self.kind: Kind = kind
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Message:
    """A parcel ready to travel."""

    target: str
    header: bytes
    content: Bytes

    def messages(self, chunk_bytes: int) -> Iterator[bytes]:
        """Return what goes over the wire; gRPC for Python takes ``bytes`` and nothing else."""
        yield self.header
        view = self.content.data
        for start in range(0, len(view), chunk_bytes):
            yield bytes(view[start : start + chunk_bytes])


class Courier:
    """Sends parcels from ``node`` to its peers.

    ``addresses`` tells where each peer is, and may change. Without credentials nothing is
    encrypted and nobody's identity checked; with them a peer must prove to be the target.
    """

    def __init__(
        self,
        node: str,
        credentials: Credentials | None,
        addresses: Mapping[str, str],
        limits: Limits,
    ) -> None:
        self.node = node
        self._secret = credentials.for_channel() if credentials else None
        self._addresses = addresses
        self._limits = limits
        self._kept: dict[str, tuple[str, grpc.aio.Channel]] = {}

    async def send(
        self, parcel: Parcel, timeout_s: float, *, compress: bool = False, fresh: bool = False
    ) -> None:
        """Return once the target has accepted ``parcel``.

        ``compress`` uses zstd where that makes the parcel smaller; ``fresh`` opens a connection
        for this parcel alone. Raises `Undelivered` where it does not arrive within ``timeout_s``,
        and `StepError` where the array cannot be written as it should.
        """
        end_s = time.monotonic() + timeout_s
        message = await self._written(parcel, compress=compress)
        if not fresh:
            channel = await self._channel(parcel.target)
            await _persist(channel, message, end_s, self._limits.chunk_bytes)
            return
        channel = self._opened(parcel.target, self._address(parcel.target))
        try:
            await _persist(channel, message, end_s, self._limits.chunk_bytes)
        finally:
            await channel.close()

    async def close(self) -> None:
        """Close all connections; parcels under way are lost."""
        kept = list(self._kept.values())
        self._kept.clear()
        for _, channel in kept:
            await channel.close()

    async def _written(self, parcel: Parcel, *, compress: bool) -> _Message:
        array = parcel.array
        check_array(parcel.payload, array.dtype.name, array.shape)
        as_is = is_bytes(parcel.payload) or is_plain(parcel.codec, array.dtype.name)
        size_bytes = plain_bytes(parcel.payload, parcel.codec, array.shape)
        if size_bytes <= self._limits.aside_bytes or (as_is and not compress):
            return _write(parcel, compress=compress)
        return await asyncio.to_thread(_write, parcel, compress=compress)

    async def _channel(self, target: str) -> grpc.aio.Channel:
        """Return the connection that is kept, unless the target has moved."""
        address = self._address(target)
        kept = self._kept.get(target)
        if kept is not None and kept[0] == address:
            return kept[1]
        channel = self._opened(target, address)
        self._kept[target] = (address, channel)
        if kept is not None:
            await kept[1].close()
        return channel

    def _address(self, target: str) -> str:
        if target not in self._addresses:
            raise Undelivered(target, "unreachable", "no address is known for it")
        return self._addresses[target]

    def _opened(self, target: str, address: str) -> grpc.aio.Channel:
        options = channel_options(self._limits)
        if self._secret is None:
            return grpc.aio.insecure_channel(address, options)
        named = ("grpc.ssl_target_name_override", target)
        return grpc.aio.secure_channel(address, self._secret, [*options, named])


def _write(parcel: Parcel, *, compress: bool) -> _Message:
    if is_bytes(parcel.payload):
        content = as_bytes(parcel.array)
    else:
        content = encode(parcel.array, parcel.codec)
    shorter = compress_bytes(content) if compress and content.size else content
    compressed = shorter.size < content.size
    if compressed:
        content = shorter
    checksum = xxhash.xxh3_64_intdigest(content.data)
    header = write_header(parcel, content.size, checksum, compressed=compressed)
    return _Message(parcel.target, header, content)


class _UndoneError(Exception):
    """One try came to nothing, for the reason that gRPC or the receiver gave."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = " ".join(details.split()) or code.name

    @property
    def may_pass(self) -> bool:
        """Whether another try may succeed; a peer that cannot prove its identity will not learn."""
        hopeless = any(mark in self.details for mark in _HOPELESS)
        return self.code is grpc.StatusCode.UNAVAILABLE and not hopeless


async def _persist(
    channel: grpc.aio.Channel, message: _Message, end_s: float, chunk_bytes: int
) -> None:
    """Try until the parcel is delivered, refused, or out of time."""
    wait_s = _FIRST_WAIT_S
    while True:
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise Undelivered(message.target, "timeout", "its time was up before it left")
        try:
            await _deliver(channel, message.messages(chunk_bytes), left_s)
        except _UndoneError as error:
            if not error.may_pass or time.monotonic() + wait_s >= end_s:
                kind: Kind = _KINDS.get(error.code, "refused")
                raise Undelivered(message.target, kind, error.details) from error
        else:
            return
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


async def _deliver(channel: grpc.aio.Channel, messages: Iterable[bytes], timeout_s: float) -> None:
    """Stream a parcel once; whatever interrupts it cancels it at the receiver, too."""
    call: Any = channel.stream_unary(METHOD)(timeout=timeout_s)
    ending = _Ending()
    call.add_done_callback(ending)
    try:
        # Where the receiver says no before the end, writing fails; why is known to the call alone.
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            for message in messages:
                await call.write(message)
            await call.done_writing()
        await call
    except grpc.aio.AioRpcError as error:
        raise ending.error or _UndoneError(error.code(), error.details() or "") from error
    except asyncio.CancelledError:
        if _is_cancelled():
            raise
        raise _UndoneError(grpc.StatusCode.CANCELLED, "the connection was closed") from None
    finally:
        call.cancel()


class _Ending:
    """Notes how a call ended, before a write that fails for it can have it forgotten.

    A write that fails because the receiver has ended the call overwrites the call's status with
    INTERNAL (https://github.com/grpc/grpc/issues/36066); what was there before is the reason.
    """

    def __init__(self) -> None:
        self.error: _UndoneError | None = None

    def __call__(self, call: Any) -> None:
        code, details = _at_once(call.code()), _at_once(call.details())
        if code not in {grpc.StatusCode.INTERNAL, grpc.StatusCode.OK}:
            self.error = self.error or _UndoneError(code, details or "")


def _at_once(known: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that has nothing to wait for."""
    try:
        known.send(None)
    except StopIteration as done:
        return done.value
    known.close()
    return None


def _is_cancelled() -> bool:
    """Whether it is this task that is cancelled, and not only its call."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


_HOPELESS = ("TSI_PROTOCOL_FAILURE", "Verification Check failed")

_KINDS: dict[grpc.StatusCode, Kind] = {
    grpc.StatusCode.UNAVAILABLE: "unreachable",
    grpc.StatusCode.CANCELLED: "unreachable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "timeout",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "exhausted",
}
