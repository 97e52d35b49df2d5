"""zstd on top of a codec; what comes in is never believed to be larger than it may be."""

import numpy as np
import zstandard

from real_runner.errors import StepError
from real_runner.wire.codecs import Bytes

ZSTD = "zstd"

_LEVEL = 1  # the fastest: numbers of a network compress little, and time is what counts
_LEAST_WINDOW_BYTES = 1 << 20  # that level uses half of it at most


def compress(data: Bytes) -> Bytes:
    """Return ``data`` as one zstd frame that tells its content's size."""
    return np.frombuffer(zstandard.ZstdCompressor(level=_LEVEL).compress(data.data), np.uint8)


def decompress(data: Bytes, size_bytes: int) -> Bytes:
    """Return what `compress` was given, which had ``size_bytes``; the result can be written to.

    Raises `StepError` where ``data`` is no such frame. Never takes more memory than a frame of
    that size needs, whatever the frame says.
    """
    out = np.empty(size_bytes, np.uint8)
    window_bytes = max(_LEAST_WINDOW_BYTES, 1 << size_bytes.bit_length())
    reader = zstandard.ZstdDecompressor(max_window_size=window_bytes).stream_reader(data.data)
    try:
        filled = _fill(reader, out)
        beyond = reader.read(1)
    except zstandard.ZstdError as error:
        raise StepError(f"compression: {error}") from error
    if filled != size_bytes or beyond:
        raise StepError(
            f"compression: the frame has {'more' if beyond else f'only {filled}'} than the "
            f"{size_bytes} bytes it should"
        )
    return out


def _fill(reader: zstandard.ZstdDecompressionReader, out: Bytes) -> int:
    view, filled = out.data, 0
    while filled < len(view) and (count := reader.readinto(view[filled:])):
        filled += count
    return filled
