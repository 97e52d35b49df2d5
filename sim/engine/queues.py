"""Devices as queues: first come, first served, by one or more equal slots."""

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from sim.engine.clock import Clock

T = TypeVar("T")


class Turn:
    """One job's place at a device: waiting, then in service, then done or cancelled.

    ``queued_s`` is when it was submitted, ``start_s`` when its service began (NaN until then),
    ``service_s`` how long that takes.
    """

    __slots__ = ("argument", "done", "queued_s", "service_s", "start_s", "ticket")

    def __init__(
        self, queued_s: float, service_s: float, done: Callable[[Any, float], None], argument: Any
    ) -> None:
        self.queued_s = queued_s
        self.service_s = service_s
        self.start_s = float("nan")
        self.done = done
        self.argument = argument
        self.ticket = -1


class DeviceQueue:
    """A first-come-first-served queue before ``slots`` equal servers.

    >>> clock = Clock()
    >>> device = DeviceQueue(clock)
    >>> for name in "ab":
    ...     _ = device.submit(2.0, lambda job, start_s: print(job, start_s, clock.now), name)
    >>> clock.run()
    a 0.0 2.0
    b 2.0 4.0
    """

    __slots__ = ("_busy_s", "_clock", "_running", "_waiting", "slots")

    def __init__(self, clock: Clock, slots: int = 1) -> None:
        if slots < 1:
            raise ValueError(f"slots is {slots}, but a device needs at least 1")
        self.slots = slots
        self._clock = clock
        self._waiting: deque[Turn] = deque()
        self._running: dict[Turn, None] = {}
        self._busy_s = 0.0

    def submit(self, service_s: float, done: Callable[[T, float], None], argument: T) -> Turn:
        """Queue a job of ``service_s`` seconds; ``done(argument, start_s)`` is called at its end.

        Raises ``ValueError`` when ``service_s`` is negative or not a number.
        """
        if not service_s >= 0.0:
            raise ValueError(f"service_s is {service_s}, but must be at least 0")
        turn = Turn(self._clock.now, service_s, done, argument)
        if len(self._running) < self.slots:
            self._begin(turn)
        else:
            self._waiting.append(turn)
        return turn

    def cancel(self, turn: Turn) -> bool:
        """Take ``turn`` out, waiting or in service; return false if it was neither.

        ``done`` is not called. A slot that becomes free serves the next job at once.
        """
        if turn in self._running:
            self._clock.cancel(turn.ticket)
            self._leave(turn)
        elif turn in self._waiting:
            self._waiting.remove(turn)
        else:
            return False
        return True

    @property
    def waiting(self) -> int:
        """Jobs submitted whose service has not begun."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs in service."""
        return len(self._running)

    @property
    def backlog_s(self) -> float:
        """Seconds of service still owed to all jobs, waiting and in service."""
        if not self._running:
            return 0.0
        now = self._clock.now
        owed_s = sum((turn.start_s + turn.service_s - now for turn in self._running), 0.0)
        return owed_s + sum((turn.service_s for turn in self._waiting), 0.0)

    @property
    def busy_s(self) -> float:
        """Slot-seconds spent in service so far, jobs in service and cancelled ones included."""
        now = self._clock.now
        return self._busy_s + sum((now - turn.start_s for turn in self._running), 0.0)

    def _begin(self, turn: Turn) -> None:
        turn.start_s = now = self._clock.now
        self._running[turn] = None
        turn.ticket = self._clock.at(now + turn.service_s, self._end, turn)

    def _end(self, turn: Turn) -> None:
        self._leave(turn)
        turn.done(turn.argument, turn.start_s)

    def _leave(self, turn: Turn) -> None:
        del self._running[turn]
        self._busy_s += self._clock.now - turn.start_s
        if self._waiting:
            self._begin(self._waiting.popleft())
