"""One parcel as it comes in, piece by piece, into memory that was promised to it."""

import asyncio
from contextlib import ExitStack

import numpy as np
import xxhash

from real_runner.errors import StepError
from real_runner.executor import Array, is_bytes
from real_runner.wire.codecs import Bytes, decode, is_plain
from real_runner.wire.compression import decompress
from real_runner.wire.frames import OPENING, Frame
from real_runner.wire.headers import Announced
from real_runner.wire.limits import Limits
from real_runner.wire.refusals import DamagedError


class Delivery:
    """A parcel that was announced, ``left_s`` before its time is up.

    ``held`` gives back what it has taken of the room. ``end_s`` is when its time is up, by the
    event loop's clock.
    """

    def __init__(
        self, announced: Announced, held: ExitStack, limits: Limits, left_s: float
    ) -> None:
        now_s = asyncio.get_running_loop().time()
        self.announced = announced
        self.held = held
        self.end_s = now_s + left_s
        self._last_s = now_s + min(left_s, limits.delivery_s)
        self._stall_s = limits.stall_s
        self._heard_s = now_s
        self._data: Bytes = np.empty(announced.size_bytes, np.uint8)
        self._filled = 0

    @property
    def due_s(self) -> float:
        """When to give it up if nothing more comes."""
        return min(self._last_s, self._heard_s + self._stall_s)

    def add(self, frame: Frame) -> None:
        """Take the next piece; `StepError` where it is not what was announced."""
        end, size_bytes = self._filled + len(frame.content), self._data.size
        if end > size_bytes:
            raise StepError(f"content: {end} bytes and more where {size_bytes} were announced")
        if not frame.content and frame.kind != OPENING:
            raise StepError("content: an empty message")
        if xxhash.xxh3_64_intdigest(frame.content) != frame.checksum:
            raise DamagedError("content: the checksum is that of other bytes")
        self._data.data[self._filled : end] = frame.content
        self._filled, self._heard_s = end, asyncio.get_running_loop().time()
        if frame.is_last and end < size_bytes:
            raise StepError(f"content: {end} bytes came where {size_bytes} were announced")

    def is_quick(self, aside_bytes: int) -> bool:
        """Whether decoding it takes next to no time."""
        announced = self.announced
        as_is = is_bytes(announced.payload) or is_plain(announced.codec, announced.dtype)
        return announced.plain_bytes <= aside_bytes or (as_is and not announced.compressed)

    def decoded(self) -> Array:
        """Return the array; `StepError` where it cannot be decompressed."""
        announced, data = self.announced, self._data
        plain = decompress(data, announced.plain_bytes) if announced.compressed else data
        if is_bytes(announced.payload):
            return plain
        shape = (announced.shape[0], announced.shape[1])
        return decode(plain, announced.codec, shape, announced.dtype)
