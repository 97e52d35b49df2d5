"""What is due, and what time it is: the part of the clock that the engine touches at every step.

Callbacks and simpy's events lie in one heap, so that they interleave by time, then simpy's
priority, then order of insertion. `sim.engine.clock` makes a simpy environment of it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, TypeVar

T = TypeVar("T")

CALLBACK: Final = 5
"""Entries: simpy's (time, priority, id, event), ours (time, priority, id, call, argument)."""

_NORMAL: Final = 1  # simpy's priority of ordinary events


class Agenda:
    """Pending calls; ``now`` is the simulated time in seconds."""

    __slots__ = ("cancelled", "heap", "ids", "late", "now")

    def __init__(self) -> None:
        self.now: float = 0.0
        self.heap: list[tuple[Any, ...]] = []
        self.ids: Iterator[int] = count()
        self.cancelled: set[int] = set()
        self.late: deque[tuple[Callable[[Any], object], Any]] = deque()

    def at(self, when_s: float, call: Callable[[T], object], argument: T) -> int:
        """Call ``call(argument)`` at exactly ``when_s``; return a ticket for `cancel`.

        Raises ``ValueError`` when ``when_s`` is past or not a number.
        """
        if not when_s >= self.now:
            raise ValueError(f"when_s is {when_s}, but the clock already shows {self.now}")
        ticket = next(self.ids)
        heappush(self.heap, (when_s, _NORMAL, ticket, call, argument))
        return ticket

    def reserve(self, count: int) -> int:
        """Keep so many tickets for `put`, one after the other, and return the first of them."""
        first = next(self.ids)
        for _ in range(count - 1):
            next(self.ids)
        return first

    def put(self, when_s: float, ticket: int, call: Callable[[T], object], argument: T) -> None:
        """Call ``call(argument)`` at ``when_s``, in the order that a reserved ``ticket`` gives it.

        That is before whatever was asked for later, at the same time. ``when_s`` is not past.
        """
        heappush(self.heap, (when_s, _NORMAL, ticket, call, argument))

    def cancel(self, ticket: int) -> None:
        """Drop the pending callback of ``ticket``, which must not have been called yet.

        A dropped callback does not move the clock either.
        """
        self.cancelled.add(ticket)

    def soon(self, call: Callable[[T], object], argument: T) -> None:
        """Call ``call(argument)`` at the end of this instant, once nothing else is due in it."""
        self.late.append((call, argument))

    def drain(self, step: Callable[[], None]) -> None:
        """Do what is due, simpy's events by ``step``, until that raises."""
        heap, cancelled, late = self.heap, self.cancelled, self.late
        while True:
            if late and not (heap and heap[0][0] <= self.now):
                call, argument = late.popleft()
                call(argument)
            elif not heap or len(heap[0]) != CALLBACK:
                step()
            else:
                when_s, _, ticket, call, argument = heappop(heap)
                if cancelled and ticket in cancelled:
                    cancelled.remove(ticket)
                else:
                    self.now = when_s
                    call(argument)

    def drop_cancelled(self) -> None:
        """Make sure that the first entry is one that will happen."""
        heap, cancelled = self.heap, self.cancelled
        while cancelled and heap and heap[0][2] in cancelled:
            cancelled.remove(heappop(heap)[2])
