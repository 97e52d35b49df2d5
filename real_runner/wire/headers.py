"""The message before a tensor: written from a parcel, and believed only where it agrees.

What a header announces is checked against itself and the limits before a byte is set aside for
it: `Announced` is a header that could be true.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Any, NoReturn

from google.protobuf.message import DecodeError

from real_runner.errors import StepError
from real_runner.executor import Array, expected_shape, is_bytes
from real_runner.wire.codecs import DTYPES, encoded_bytes
from real_runner.wire.compression import ZSTD
from real_runner.wire.limits import Limits
from real_runner.wire.messages import load
from real_runner.wire.parcel import VERSION, Parcel
from real_runner.wire.payloads import payload_message, payload_of
from workloads.codec import CODECS
from workloads.stage import Payload

_PROTO = "real_runner/wire/parcel.proto"
_BYTES = "uint8"


@dataclass(frozen=True, slots=True)
class Announced:
    """What a header says is to come. ``plain_bytes`` is the size before any compression."""

    run: str
    job: int
    attempt: int
    step: int
    source: str
    target: str
    payload: Payload
    codec: str
    dtype: str
    shape: tuple[int, ...]
    plain_bytes: int
    size_bytes: int
    compressed: bool
    queued_ns: int
    start_ns: int
    trace: str

    @property
    def held_bytes(self) -> int:
        """The memory that receiving it takes at most: as sent, decompressed, decoded."""
        return self.size_bytes + self.compressed * self.plain_bytes + _decoded_bytes(self)

    def parcel(self, array: Array) -> Parcel:
        """Return the parcel, now that its array is there."""
        return Parcel(
            run=self.run,
            job=self.job,
            attempt=self.attempt,
            step=self.step,
            source=self.source,
            target=self.target,
            payload=self.payload,
            codec=self.codec,
            queued_ns=self.queued_ns,
            start_ns=self.start_ns,
            array=array,
            trace=self.trace,
            size_bytes=self.size_bytes,
        )


def write_header(parcel: Parcel, size_bytes: int, *, compressed: bool) -> bytes:
    """Return the header of ``parcel``, whose array was written as ``size_bytes`` bytes."""
    header: bytes = (
        load(_PROTO)
        .Header(
            version=VERSION,
            run=parcel.run,
            job=parcel.job,
            attempt=parcel.attempt,
            step=parcel.step,
            source=parcel.source,
            target=parcel.target,
            payload=payload_message(parcel.payload),
            dtype=parcel.array.dtype.name,
            shape=parcel.array.shape,
            codec=parcel.codec,
            compression=ZSTD if compressed else "",
            size_bytes=size_bytes,
            queued_ns=parcel.queued_ns,
            start_ns=parcel.start_ns,
            trace=parcel.trace,
        )
        .SerializeToString()
    )
    return header


def read_header(message: bytes, limits: Limits) -> Announced:
    """Return what a header announces; `StepError` where that cannot be true or is too much."""
    if len(message) > limits.header_bytes:
        _refuse(f"header of {len(message)} bytes; at most {limits.header_bytes} may come")
    try:
        header = load(_PROTO).Header.FromString(message)
    except DecodeError as error:
        raise StepError("header: it is no header of this protocol") from error
    if header.version != VERSION:
        _refuse(
            f"header: protocol version {header.version}, this node speaks {VERSION}; install the "
            "same Tessera on both"
        )
    if header.codec not in CODECS:
        _refuse(f"header: codec {header.codec!r} is unknown")
    if header.compression not in {"", ZSTD}:
        _refuse(f"header: compression {header.compression!r} is unknown")
    announced = _announced(header)
    _check_sizes(announced, limits)
    return announced


def check_array(payload: Payload, dtype: str, shape: tuple[int, ...]) -> None:
    """Raise `StepError` unless an array of this dtype and shape can carry ``payload``."""
    numbers = (payload.elements, payload.tokens, payload.blocks_done, payload.fixed_bytes)
    if min(numbers) < 0 or not isfinite(payload.fixed_bytes):
        _refuse(f"payload {payload.tensor!r}: a negative or infinite size")
    if is_bytes(payload):
        if dtype != _BYTES or len(shape) != 1 or shape[0] < 0:
            _refuse(f"payload {payload.tensor!r}: {dtype} {shape}; bytes travel as a uint8 vector")
        return
    if payload.fixed_bytes:
        _refuse(f"payload {payload.tensor!r}: both numbers and bytes; send each by itself")
    if not payload.tokens or payload.elements % payload.tokens:
        _refuse(
            f"payload {payload.tensor!r}: {payload.elements} elements are no whole number for each "
            f"of {payload.tokens} tokens"
        )
    if dtype not in DTYPES or shape != expected_shape(payload):
        _refuse(
            f"payload {payload.tensor!r}: {dtype} {shape}; it should be {expected_shape(payload)} "
            f"of {', '.join(DTYPES)}"
        )


def plain_bytes(payload: Payload, codec: str, shape: tuple[int, ...]) -> int:
    """Return the bytes of an array that carries ``payload``, written with ``codec``."""
    return shape[0] if is_bytes(payload) else encoded_bytes(codec, (shape[0], shape[1]))


def _announced(header: Any) -> Announced:
    payload, shape = payload_of(header.payload), tuple(header.shape)
    check_array(payload, header.dtype, shape)
    return Announced(
        run=header.run,
        job=header.job,
        attempt=header.attempt,
        step=header.step,
        source=header.source,
        target=header.target,
        payload=payload,
        codec=header.codec,
        dtype=header.dtype,
        shape=shape,
        plain_bytes=plain_bytes(payload, header.codec, shape),
        size_bytes=header.size_bytes,
        compressed=bool(header.compression),
        queued_ns=header.queued_ns,
        start_ns=header.start_ns,
        trace=header.trace,
    )


def _check_sizes(announced: Announced, limits: Limits) -> None:
    plain, size = announced.plain_bytes, announced.size_bytes
    largest = max(plain, _decoded_bytes(announced))
    if largest > limits.parcel_bytes:
        _refuse(f"parcel of {largest} bytes; at most {limits.parcel_bytes} may come")
    if not (0 < size < plain if announced.compressed else size == plain):
        _refuse(f"header: size_bytes {size} where the payload has {plain}")


def _decoded_bytes(announced: Announced) -> int:
    if is_bytes(announced.payload):
        return announced.plain_bytes
    return announced.payload.elements * DTYPES[announced.dtype]


def _refuse(reason: str) -> NoReturn:
    raise StepError(reason)
