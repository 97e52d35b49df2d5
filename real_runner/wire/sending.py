"""Parcels on their way out: one open stream per peer, a deadline, one more try where it helps.

A receiver takes the same parcel a second time without harm, so a parcel whose connection could
not be had, or broke, is sent again until its time is up.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import grpc

from real_runner.errors import StepError
from real_runner.executor import is_bytes
from real_runner.wire.codecs import Bytes, as_bytes, encode, is_plain
from real_runner.wire.compression import compress as compress_bytes
from real_runner.wire.credentials import Credentials
from real_runner.wire.headers import check_array, plain_bytes, write_header
from real_runner.wire.limits import Limits
from real_runner.wire.options import channel_options
from real_runner.wire.parcel import METHOD, Parcel
from real_runner.wire.stream import Stream, UndoneError

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


@dataclass(slots=True)
class _Line:
    """A connection to a peer at one address, and the stream that is open on it, if any."""

    address: str
    channel: grpc.aio.Channel
    chunk_bytes: int
    stream: Stream | None = None

    def open_stream(self) -> Stream:
        """Return the stream; a new one where the last has broken."""
        if self.stream is None or self.stream.broken is not None:
            self.stream = Stream(self.channel.stream_stream(METHOD)(), self.chunk_bytes)
        return self.stream

    async def close(self) -> None:
        if self.stream is not None:
            await self.stream.close()
        await self.channel.close()


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
        self._lines: dict[str, _Line] = {}

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
            await _persist(await self._line(parcel.target), message, end_s)
            return
        line = self._opened(parcel.target, self._address(parcel.target))
        try:
            await _persist(line, message, end_s)
        finally:
            await line.close()

    async def close(self) -> None:
        """Close all connections; parcels under way are lost."""
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            await line.close()

    async def _written(self, parcel: Parcel, *, compress: bool) -> _Message:
        array = parcel.array
        check_array(parcel.payload, array.dtype.name, array.shape)
        as_is = is_bytes(parcel.payload) or is_plain(parcel.codec, array.dtype.name)
        size_bytes = plain_bytes(parcel.payload, parcel.codec, array.shape)
        if size_bytes <= self._limits.aside_bytes or (as_is and not compress):
            return _write(parcel, compress=compress)
        return await asyncio.to_thread(_write, parcel, compress=compress)

    async def _line(self, target: str) -> _Line:
        """Return the connection that is kept, unless the target has moved."""
        address = self._address(target)
        kept = self._lines.get(target)
        if kept is not None and kept.address == address:
            return kept
        self._lines[target] = line = self._opened(target, address)
        if kept is not None:
            await kept.close()
        return line

    def _address(self, target: str) -> str:
        if target not in self._addresses:
            raise Undelivered(target, "unreachable", "no address is known for it")
        return self._addresses[target]

    def _opened(self, target: str, address: str) -> _Line:
        options = channel_options(self._limits)
        if self._secret is None:
            channel = grpc.aio.insecure_channel(address, options)
        else:
            named = ("grpc.ssl_target_name_override", target)
            channel = grpc.aio.secure_channel(address, self._secret, [*options, named])
        return _Line(address, channel, self._limits.chunk_bytes)


def _write(parcel: Parcel, *, compress: bool) -> _Message:
    if is_bytes(parcel.payload):
        content = as_bytes(parcel.array)
    else:
        content = encode(parcel.array, parcel.codec)
    shorter = compress_bytes(content) if compress and content.size else content
    compressed = shorter.size < content.size
    if compressed:
        content = shorter
    header = write_header(parcel, content.size, compressed=compressed)
    return _Message(parcel.target, header, content)


async def _persist(line: _Line, message: _Message, end_s: float) -> None:
    """Try until the parcel is delivered, refused, or out of time."""
    wait_s = _FIRST_WAIT_S
    while True:
        if end_s <= time.monotonic():
            raise Undelivered(message.target, "timeout", "its time was up before it left")
        try:
            await line.open_stream().carry(message.header, message.content.data, end_s)
        except UndoneError as error:
            if not _may_pass(error) or time.monotonic() + wait_s >= end_s:
                kind: Kind = _KINDS.get(error.code, "refused")
                raise Undelivered(message.target, kind, error.details) from error
        else:
            return
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def _may_pass(error: UndoneError) -> bool:
    """Whether another try may succeed; a peer that cannot prove its identity will not learn."""
    hopeless = any(mark in error.details for mark in _HOPELESS)
    return error.code is grpc.StatusCode.UNAVAILABLE and not hopeless


_HOPELESS = ("TSI_PROTOCOL_FAILURE", "Verification Check failed")

_KINDS: dict[grpc.StatusCode, Kind] = {
    grpc.StatusCode.UNAVAILABLE: "unreachable",
    grpc.StatusCode.CANCELLED: "unreachable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "timeout",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "exhausted",
}
