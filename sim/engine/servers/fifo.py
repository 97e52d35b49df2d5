"""First come, first served, by one or more equal slots: what devices are unless they say more."""

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from sim.engine.clock import Clock
from sim.engine.servers.server import (
    Job,
    RefusedError,
    Server,
    Turn,
    require_service,
    require_slots,
    require_speed,
)

T = TypeVar("T")


class Fifo(Server):
    """A first-come-first-served queue before ``slots`` equal slots.

    >>> clock = Clock()
    >>> device = Fifo(clock)
    >>> for name in "ab":
    ...     _ = device.submit(Job(2.0), lambda job, start_s: print(job, start_s, clock.now), name)
    >>> clock.run()
    a 0.0 2.0
    b 2.0 4.0
    """

    def __init__(self, clock: Clock, slots: int = 1) -> None:
        require_slots(slots)
        self._slots = slots
        self._clock = clock.agenda
        self._waiting: deque[Turn] = deque()
        self._running: dict[Turn, None] = {}
        self._busy_s = 0.0
        self._speed = 1.0
        self._on_end = self._end  # kept, since making a bound method costs as much as a call
        self._up = True
        self._open = slots  # slots that take up jobs: none while the device is down or hangs
        self._hung_at_s = -1.0  # when it began to hang, negative while it does not

    def submit(self, job: Job, done: Callable[[T, float], None], argument: T) -> Turn:
        """Queue ``job``; see `Server.submit`."""
        require_service(job.service_s)
        turn = Turn(self._clock.now, job, done, argument)
        if len(self._running) < self._open:
            self._begin(turn)
        elif self._up:
            self._waiting.append(turn)
        else:
            raise RefusedError("the device is down; submit once it has recovered")
        return turn

    def cancel(self, turn: Turn) -> bool:
        """Take ``turn`` out; see `Server.cancel`."""
        if turn in self._running:
            self._drop_ticket(turn)
            self._leave(turn)
        elif turn in self._waiting:
            self._waiting.remove(turn)
        else:
            return False
        return True

    def fail(self) -> list[Any]:
        """Go down; see `Server.fail`."""
        lost = [*self._running, *self._waiting]
        self._waiting.clear()
        self._up = False
        self._open = 0
        for turn in list(self._running):
            self._drop_ticket(turn)
            self._leave(turn)
        self._hung_at_s = -1.0
        return [turn.argument for turn in lost]

    def recover(self) -> None:
        """Come up again; see `Server.recover`."""
        self._up = True
        self._open = self._slots

    def hang(self) -> None:
        """Stand still; see `Server.hang`."""
        if self._open:
            self._hung_at_s = self._clock.now
            self._open = 0
            for turn in self._running:
                self._drop_ticket(turn)

    def resume(self) -> None:
        """Go on; see `Server.resume`."""
        if self._hung_at_s < 0.0:
            return
        now = self._clock.now
        for turn in self._running:
            turn.end_s = now + (turn.end_s - self._hung_at_s)
            turn.ticket = self._clock.at(turn.end_s, self._on_end, turn)
        self._hung_at_s = -1.0
        self._open = self._slots
        while self._waiting and len(self._running) < self._open:
            self._begin(self._waiting.popleft())

    def set_speed(self, factor: float) -> None:
        """Serve at ``factor`` times full speed from now on; see `Server.set_speed`."""
        require_speed(factor)
        now = self._progressed_s
        for turn in self._running:
            turn.end_s = now + (turn.end_s - now) * self._speed / factor
            if self._open:
                self._clock.cancel(turn.ticket)
                turn.ticket = self._clock.at(turn.end_s, self._on_end, turn)
        self._speed = factor

    @property
    def up(self) -> bool:
        """Whether the server is not down."""
        return self._up

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
        """Seconds of service at full speed still owed to all jobs, waiting and in service."""
        if not self._running:
            return 0.0
        now = self._progressed_s
        owed_s = sum((turn.end_s - now for turn in self._running), 0.0) * self._speed
        return owed_s + sum((turn.job.service_s for turn in self._waiting), 0.0)

    @property
    def busy_s(self) -> float:
        """Slot-seconds spent in service so far, jobs in service and cancelled ones included."""
        now = self._clock.now
        return self._busy_s + sum((now - turn.start_s for turn in self._running), 0.0)

    @property
    def _progressed_s(self) -> float:
        """The time up to which jobs in service have progressed."""
        return self._clock.now if self._hung_at_s < 0.0 else self._hung_at_s

    def _drop_ticket(self, turn: Turn) -> None:
        if turn.ticket >= 0:
            self._clock.cancel(turn.ticket)
            turn.ticket = -1

    def _begin(self, turn: Turn) -> None:
        turn.start_s = now = self._clock.now
        turn.end_s = end_s = now + turn.job.service_s / self._speed
        self._running[turn] = None
        turn.ticket = self._clock.at(end_s, self._on_end, turn)

    def _end(self, turn: Turn) -> None:
        self._leave(turn)
        turn.done(turn.argument, turn.start_s)

    def _leave(self, turn: Turn) -> None:
        del self._running[turn]
        turn.end_s = now = self._clock.now
        turn.held_s = now - turn.start_s
        self._busy_s += turn.held_s
        if self._waiting and self._open:
            self._begin(self._waiting.popleft())
