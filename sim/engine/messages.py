"""Messages: transfers that cost their links more than their own bytes, or arrive after they passed.

What passes of one is payload and the rest in proportion, from its first byte to its last. It
arrives when the delays behind its bottleneck are over, and what jitter adds; see
`sim.engine.jitter`.
"""

from collections.abc import Callable
from typing import Any, Final

from sim.engine.agenda import Agenda
from sim.engine.connections import Transfer
from sim.engine.flows import Flow
from sim.engine.jitter import Jitter
from sim.engine.paths import Path

Handle = Flow | Transfer
"""What `sim.engine.transport.Transport.send` returns."""

_NONE: Final = -1  # no ticket


class Message:
    """A transfer under way: what of it is no payload, and who waits for it.

    ``first_s`` is when its first byte arrives at best. Once it has passed, ``due_s`` is when it
    arrives, and ``stalled_s`` since when that is put off, negative while it is not.
    """

    __slots__ = (
        "argument", "done", "due_s", "extra_bytes", "first_s", "handle", "path", "stalled_s",
        "ticket", "total_bytes",
    )  # fmt: skip

    def __init__(
        self,
        size_bytes: float,
        extra_bytes: int,
        path: Path,
        first_s: float,
        done: Callable[[Any], object],
        argument: object,
    ) -> None:
        self.total_bytes = size_bytes + extra_bytes
        self.extra_bytes = extra_bytes
        self.path = path
        self.first_s = first_s
        self.due_s = -1.0
        self.stalled_s = -1.0
        self.ticket = _NONE
        self.done = done
        self.argument = argument
        self.handle: Handle | None = None


class Messages:
    """Those under way, and what has passed of all that is no payload, by channel.

    ``left_bytes`` tells what of a handle's total has not passed yet. Without ``jitter`` there is
    none.
    """

    def __init__(
        self,
        clock: Agenda,
        channels: int,
        left_bytes: Callable[[Handle], float],
        jitter: Jitter | None,
    ) -> None:
        self._clock = clock
        self._left_bytes = left_bytes
        self._jitter = jitter
        self._under_way: dict[Handle, Message] = {}
        self._extra_bytes = [0.0] * channels

    def sent(self, message: Message, handle: Handle) -> None:
        """Take up a message that ``handle`` carries."""
        message.handle = handle
        self._under_way[handle] = message

    def passed(self, message: Message) -> None:
        """Note that the last byte of a message has passed; deliver it now or when it arrives."""
        path = message.path
        passed_s = self._clock.now
        if self._jitter is not None and path.jitters_s:
            passed_s = self._jitter.due_s(path, message.total_bytes, message.first_s)
        message.due_s = passed_s + path.trail_s
        if message.due_s == self._clock.now:
            self._deliver(message)
        else:
            message.ticket = self._clock.at(message.due_s, self._deliver, message)

    def _deliver(self, message: Message) -> None:
        """Tell who waits for a message that it has arrived."""
        assert message.handle is not None  # noqa: S101 - for mypy; it is sent
        del self._under_way[message.handle]
        self._count(message, message.extra_bytes)
        message.done(message.argument)

    def stop(self, handle: Handle) -> bool:
        """Drop a message that is about to be cancelled, if it is one that is under way.

        Return whether it had passed already: then there is nothing else to be stopped.
        """
        message = self._under_way.pop(handle, None)
        if message is None:
            return False
        self._count(message, self._passed_bytes(message, handle))
        self._drop_ticket(message)
        return message.due_s >= 0.0

    def stall(self, handle: Handle) -> bool:
        """Put off the arrival of a message that has passed; return false for any other."""
        message = self._under_way.get(handle)
        if message is None or message.due_s < 0.0:
            return False
        if message.stalled_s < 0.0:
            message.stalled_s = self._clock.now
            self._drop_ticket(message)
        return True

    def release(self, handle: Handle) -> bool:
        """Let a message that has passed arrive after all; return false for any other."""
        message = self._under_way.get(handle)
        if message is None or message.due_s < 0.0:
            return False
        if message.stalled_s >= 0.0:
            message.due_s += self._clock.now - message.stalled_s
            message.stalled_s = -1.0
            message.ticket = self._clock.at(message.due_s, self._deliver, message)
        return True

    def payload_part(self, handle: Handle) -> float:
        """Return which part of what a handle carries is payload: all, where it is no message."""
        message = self._under_way.get(handle)
        if message is None or not message.extra_bytes:
            return 1.0
        return 1.0 - message.extra_bytes / message.total_bytes

    def payload_bytes(self, carried_bytes: list[float]) -> list[float]:
        """Return what of the bytes that each channel has carried is payload."""
        if not self._under_way and not any(self._extra_bytes):
            return carried_bytes
        payload = [a - b for a, b in zip(carried_bytes, self._extra_bytes, strict=True)]
        for handle, message in self._under_way.items():
            passed_bytes = self._passed_bytes(message, handle)
            for channel in message.path.channels:
                payload[channel] -= passed_bytes
        return payload

    def _passed_bytes(self, message: Message, handle: Handle) -> float:
        """Return what has passed of a message that is under way, apart from its payload."""
        if not message.extra_bytes:
            return 0.0
        return message.extra_bytes * (1.0 - self._left_bytes(handle) / message.total_bytes)

    def _count(self, message: Message, extra_bytes: float) -> None:
        for channel in message.path.channels:
            self._extra_bytes[channel] += extra_bytes

    def _drop_ticket(self, message: Message) -> None:
        if message.ticket != _NONE:
            self._clock.cancel(message.ticket)
            message.ticket = _NONE
