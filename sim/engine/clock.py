"""The clock: simpy's environment, with plain callbacks on the same heap.

A simpy process costs a generator, an event and a list of callbacks per step; a callback costs one
tuple. The engine therefore schedules callbacks, while users' own processes (faults, mobility,
controllers) run beside them as ordinary simpy processes. Both lie in one heap, so that they
interleave by time, then simpy's priority, then order of insertion.

An *instant* is everything that happens at one simulated time. What must see all changes of an
instant together (link sharing after sixteen simultaneous starts) asks for `Clock.soon`.

As in ``simpy/rt.py``, behaviour is added by overriding few methods: ``step``, ``peek``, ``run``.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeVar, cast

from simpy.core import BoundClass, EmptySchedule, Environment, Infinity, StopSimulation
from simpy.events import NORMAL, URGENT, Event

T = TypeVar("T")

_CALLBACK = 5  # entries: simpy's (time, priority, id, event), ours (time, priority, id, call, arg)


class Clock(Environment):
    """Simulated time in seconds, driving callbacks and simpy processes alike.

    >>> clock = Clock()
    >>> _ = clock.at(2.0, print, "callback at two")
    >>> def process():
    ...     yield clock.timeout(1.0)
    ...     print("process at", clock.now)
    >>> _ = clock.process(process())
    >>> clock.run()
    process at 1.0
    callback at two
    """

    def __init__(self, initial_time_s: float = 0.0) -> None:
        super().__init__(initial_time_s)
        self._bind_early()
        self._heap = cast("list[tuple[Any, ...]]", self._queue)
        self._cancelled: set[int] = set()
        self._end_of_instant: deque[tuple[Callable[[Any], object], Any]] = deque()

    def at(self, when_s: float, call: Callable[[T], object], argument: T) -> int:
        """Call ``call(argument)`` at exactly ``when_s``; return a ticket for `cancel`.

        Raises ``ValueError`` when ``when_s`` is past or not a number.
        """
        if not when_s >= self._now:
            raise ValueError(f"when_s is {when_s}, but the clock already shows {self._now}")
        ticket = next(self._eid)
        heappush(self._heap, (when_s, NORMAL, ticket, call, argument))
        return ticket

    def cancel(self, ticket: int) -> None:
        """Drop the pending callback of ``ticket``, which must not have been called yet.

        A dropped callback does not move the clock either.
        """
        self._cancelled.add(ticket)

    def soon(self, call: Callable[[T], object], argument: T) -> None:
        """Call ``call(argument)`` at the end of this instant, once nothing else is due in it."""
        self._end_of_instant.append((call, argument))

    def peek(self) -> float:
        """Return the time of the next event in seconds, infinity if there is none."""
        if self._end_of_instant:
            return self._now
        self._drop_cancelled()
        return self._heap[0][0] if self._heap else Infinity

    def step(self) -> None:
        """Process the next event, or the calls due at the end of this instant.

        Raises ``simpy.core.EmptySchedule`` when nothing is left.
        """
        self._drop_cancelled()
        heap = self._heap
        if self._end_of_instant and not (heap and heap[0][0] <= self._now):
            call, argument = self._end_of_instant.popleft()
            call(argument)
        elif heap and len(heap[0]) == _CALLBACK:
            self._now, _, _, call, argument = heappop(heap)
            call(argument)
        else:
            super().step()

    def run(self, until: float | Event | None = None) -> Any:
        """Process events until none is left, until a time (exactly), or until an event.

        As in simpy a time stops before whatever is due at that time, and an event's value is
        returned.
        """
        if isinstance(until, Event):
            if until.callbacks is None:
                return until.value
        elif until is not None:
            until = self._stop_at(float(until))
        if until is not None:
            until.callbacks.append(StopSimulation.callback)
        try:
            self._drain()
        except StopSimulation as stop:
            return stop.args[0]
        except EmptySchedule:
            if until is not None:
                raise RuntimeError(f"nothing is left to happen, but {until} has not") from None
        return None

    def _drain(self) -> None:
        """Do what `step` does until there is nothing left, with one loop's overhead."""
        heap, cancelled, late = self._heap, self._cancelled, self._end_of_instant
        step = super().step
        while True:
            if late and not (heap and heap[0][0] <= self._now):
                call, argument = late.popleft()
                call(argument)
            elif not heap or len(heap[0]) != _CALLBACK:
                step()
            else:
                when_s, _, ticket, call, argument = heappop(heap)
                if cancelled and ticket in cancelled:
                    cancelled.remove(ticket)
                else:
                    self._now = when_s
                    call(argument)

    def _bind_early(self) -> None:
        """Do for this class what simpy's constructor does for its own: ``timeout`` is as fast."""
        for name, factory in vars(Environment).items():
            if isinstance(factory, BoundClass):
                setattr(self, name, getattr(self, name))

    def _stop_at(self, when_s: float) -> Event:
        """Return an event that precedes all others of the time ``when_s``."""
        if not when_s > self._now:
            raise ValueError(f"until is {when_s}, but the clock already shows {self._now}")
        stop = Event(self)
        stop._ok, stop._value = True, None  # noqa: SLF001 (as simpy's own run does)
        heappush(self._heap, (when_s, URGENT, next(self._eid), stop))
        return stop

    def _drop_cancelled(self) -> None:
        heap, cancelled = self._heap, self._cancelled
        while cancelled and heap and heap[0][2] in cancelled:
            cancelled.remove(heappop(heap)[2])
