"""Messages on a peer's stream: each begins with a few bytes that say to which parcel it belongs.

A sender numbers its parcels with tickets, which only grow. The chunks of several parcels may take
turns, so that a large one does not hold up a small one for long. Numbers are little-endian::

    all       kind (1 byte: OPENING, PART or STOP), 1 where it is the parcel's last (1), ticket (8),
              xxh3_64 of the content (8)
    OPENING   nanoseconds that are left to the parcel (8), size of the header (4), header, content
    PART      content
    STOP      nothing: what was under way with this ticket is not wanted any more

    receipt   ticket (8), gRPC status code (1), reason in UTF-8

The receiver answers each parcel that was not stopped with one receipt. Each message has a checksum
of its own, so that summing one up goes on beside the travel of the one before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, error

import grpc
import xxhash

from real_runner.errors import StepError

OPENING, PART, STOP = 1, 2, 3
PREFIX_BYTES = 30
"""What the longest of these prefixes has."""

_LEAD = Struct("<BBQQ")
_OPENING = Struct("<BBQQQI")
_RECEIPT = Struct("<QB")
_LARGEST_LEFT_NS = (1 << 63) - 1
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as it came; ``left_s`` and ``header`` stand in an opening only."""

    kind: int
    is_last: bool
    ticket: int
    checksum: int
    content: memoryview
    left_s: float = 0.0
    header: bytes = b""


def frames(
    ticket: int, left_s: float, header: bytes, content: memoryview, chunk_bytes: int
) -> Iterator[bytes]:
    """Return the messages of a parcel; gRPC for Python takes ``bytes`` and nothing else."""
    size_bytes = len(content)
    left_ns = max(0, min(round(left_s * 1e9), _LARGEST_LEFT_NS))
    is_whole = size_bytes <= chunk_bytes
    part = content[:chunk_bytes]
    checksum = xxhash.xxh3_64_intdigest(part)
    lead = _OPENING.pack(OPENING, is_whole, ticket, checksum, left_ns, len(header))
    yield b"".join((lead, header, part))
    for start in range(chunk_bytes, size_bytes, chunk_bytes):
        part, is_last = content[start : start + chunk_bytes], start + chunk_bytes >= size_bytes
        lead = _LEAD.pack(PART, is_last, ticket, xxhash.xxh3_64_intdigest(part))
        yield b"".join((lead, part))


def stop(ticket: int) -> bytes:
    """Return the message that takes a parcel back."""
    return _LEAD.pack(STOP, 1, ticket, 0)


def read_frame(message: bytes) -> Frame:
    """Return what `frames` or `stop` wrote; `StepError` where it is neither's."""
    try:
        kind, is_last, ticket, checksum = _LEAD.unpack_from(message)
        if kind == OPENING:
            return _opening(message)
    except error:
        raise StepError(f"frame: {len(message)} bytes are too few") from None
    if kind not in {PART, STOP}:
        raise StepError(f"frame: kind {kind} is unknown")
    return Frame(kind, is_last == 1, ticket, checksum, memoryview(message)[_LEAD.size :])


def receipt(ticket: int, code: grpc.StatusCode, reason: str) -> bytes:
    """Return the answer to a parcel."""
    return _RECEIPT.pack(ticket, code.value[0]) + reason.encode()


def read_receipt(message: bytes) -> tuple[int, grpc.StatusCode, str]:
    """Return ticket, code and reason of an answer; `StepError` where it is none."""
    if len(message) < _RECEIPT.size:
        raise StepError(f"receipt: {len(message)} bytes are too few")
    ticket, code = _RECEIPT.unpack_from(message)
    reason = message[_RECEIPT.size :].decode("utf-8", "replace")
    return ticket, _CODES.get(code, grpc.StatusCode.UNKNOWN), reason


def _opening(message: bytes) -> Frame:
    kind, is_last, ticket, checksum, left_ns, header_bytes = _OPENING.unpack_from(message)
    end = _OPENING.size + header_bytes
    if end > len(message):
        raise StepError(f"frame: {len(message)} bytes, a header of {header_bytes} is to be in them")
    header = message[_OPENING.size : end]
    content = memoryview(message)[end:]
    return Frame(kind, is_last == 1, ticket, checksum, content, left_ns * 1e-9, header)
