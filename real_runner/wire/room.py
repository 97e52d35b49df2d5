"""How much a worker receives at one time: memory is promised before it is set aside."""

from collections.abc import Iterator
from contextlib import contextmanager

from real_runner.wire.limits import Limits


class NoRoomError(Exception):
    """More would come than may be under way at one time."""


class Room:
    """Counts parcels under way and the bytes promised to them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.parcels = 0
        self.held_bytes = 0

    @contextmanager
    def parcel(self) -> Iterator[None]:
        """Let one more parcel in; raises `NoRoomError`."""
        if self.parcels >= self._limits.flight_parcels:
            raise NoRoomError(
                f"{self.parcels} parcels are under way to this node; at most "
                f"{self._limits.flight_parcels} may be"
            )
        self.parcels += 1
        try:
            yield
        finally:
            self.parcels -= 1

    @contextmanager
    def hold(self, size_bytes: int) -> Iterator[None]:
        """Promise memory to a parcel; raises `NoRoomError`."""
        if self.held_bytes + size_bytes > self._limits.flight_bytes:
            raise NoRoomError(
                f"{self.held_bytes} bytes are under way to this node, {size_bytes} more would be "
                f"too many; at most {self._limits.flight_bytes} may be"
            )
        self.held_bytes += size_bytes
        try:
            yield
        finally:
            self.held_bytes -= size_bytes
