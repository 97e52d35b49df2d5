"""Messages: transfers that cost their links more than their own bytes.

What passes of one is payload and the rest in proportion, from its first byte to its last.
"""

from collections.abc import Callable
from typing import Any

from sim.engine.connections import Transfer
from sim.engine.flows import Flow

Handle = Flow | Transfer
"""What `sim.engine.transport.Transport.send` returns."""


class Message:
    """A transfer under way: what of it is no payload, and who waits for it."""

    __slots__ = ("argument", "channels", "done", "extra_bytes", "handle", "total_bytes")

    def __init__(
        self,
        size_bytes: float,
        extra_bytes: int,
        channels: tuple[int, ...],
        done: Callable[[Any], object],
        argument: object,
    ) -> None:
        self.total_bytes = size_bytes + extra_bytes
        self.extra_bytes = extra_bytes
        self.channels = channels
        self.done = done
        self.argument = argument
        self.handle: Handle | None = None


class Messages:
    """Those under way, and what has passed of all that is no payload, by channel.

    ``left_bytes`` tells what of a handle's total has not arrived yet.
    """

    def __init__(self, channels: int, left_bytes: Callable[[Handle], float]) -> None:
        self._left_bytes = left_bytes
        self._under_way: dict[Handle, Message] = {}
        self._extra_bytes = [0.0] * channels

    def sent(self, message: Message, handle: Handle) -> None:
        """Take up a message that ``handle`` carries."""
        message.handle = handle
        self._under_way[handle] = message

    def deliver(self, message: Message) -> None:
        """Tell who waits for a message that it has arrived."""
        assert message.handle is not None  # noqa: S101 - for mypy; it is sent
        del self._under_way[message.handle]
        self._count(message, message.extra_bytes)
        message.done(message.argument)

    def stop(self, handle: Handle) -> None:
        """Drop a message that is about to be cancelled, if it is one that is under way."""
        message = self._under_way.pop(handle, None)
        if message is not None:
            self._count(message, self._passed_bytes(message, handle))

    def payload_part(self, handle: Handle) -> float:
        """Return which part of what a handle carries is payload: all, where it is no message."""
        message = self._under_way.get(handle)
        return 1.0 if message is None else 1.0 - message.extra_bytes / message.total_bytes

    def payload_bytes(self, carried_bytes: list[float]) -> list[float]:
        """Return what of the bytes that each channel has carried is payload."""
        if not self._under_way and not any(self._extra_bytes):
            return carried_bytes
        payload = [a - b for a, b in zip(carried_bytes, self._extra_bytes, strict=True)]
        for handle, message in self._under_way.items():
            passed_bytes = self._passed_bytes(message, handle)
            for channel in message.channels:
                payload[channel] -= passed_bytes
        return payload

    def _passed_bytes(self, message: Message, handle: Handle) -> float:
        """Return what has passed of a message that is under way, apart from its payload."""
        return message.extra_bytes * (1.0 - self._left_bytes(handle) / message.total_bytes)

    def _count(self, message: Message, extra_bytes: float) -> None:
        for channel in message.channels:
            self._extra_bytes[channel] += extra_bytes
