"""The clock: simpy's environment, with plain callbacks on the same heap.

A simpy process costs a generator, an event and a list of callbacks per step; a callback costs one
tuple. The engine therefore schedules callbacks, while users' own processes (faults, mobility,
controllers) run beside them as ordinary simpy processes. Both lie in one heap, so that they
interleave by time, then simpy's priority, then order of insertion.

An *instant* is everything that happens at one simulated time. What must see all changes of an
instant together (link sharing after sixteen simultaneous starts) asks for `Clock.soon`.

As in ``simpy/rt.py``, behaviour is added by overriding few methods: ``step``, ``peek``, ``run``.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeVar, cast

from simpy.core import BoundClass, EmptySchedule, Environment, Infinity, StopSimulation
from simpy.events import URGENT, Event

from sim.engine.agenda import CALLBACK, Agenda

T = TypeVar("T")


class Clock(Environment):
    """Simulated time in seconds, driving callbacks and simpy processes alike.

    ``agenda`` holds what is due and the time; simpy's heap and time are the very same.

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
        self.agenda = Agenda()
        super().__init__(initial_time_s)
        self._bind_early()
        self.agenda.heap = cast("list[tuple[Any, ...]]", self._queue)
        self.agenda.ids = self._eid

    @property
    def _now(self) -> float:
        return self.agenda.now

    @_now.setter
    def _now(self, now_s: float) -> None:
        self.agenda.now = float(now_s)

    def at(self, when_s: float, call: Callable[[T], object], argument: T) -> int:
        """Call ``call(argument)`` at exactly ``when_s``; see `sim.engine.agenda.Agenda.at`."""
        return self.agenda.at(when_s, call, argument)

    def cancel(self, ticket: int) -> None:
        """Drop a pending callback; see `sim.engine.agenda.Agenda.cancel`."""
        self.agenda.cancel(ticket)

    def soon(self, call: Callable[[T], object], argument: T) -> None:
        """Call ``call(argument)`` at the end of this instant, once nothing else is due in it."""
        self.agenda.soon(call, argument)

    def peek(self) -> float:
        """Return the time of the next event in seconds, infinity if there is none."""
        agenda = self.agenda
        if agenda.late:
            return agenda.now
        agenda.drop_cancelled()
        return agenda.heap[0][0] if agenda.heap else Infinity

    def step(self) -> None:
        """Process the next event, or the calls due at the end of this instant.

        Raises ``simpy.core.EmptySchedule`` when nothing is left.
        """
        agenda = self.agenda
        agenda.drop_cancelled()
        heap = agenda.heap
        if agenda.late and not (heap and heap[0][0] <= agenda.now):
            call, argument = agenda.late.popleft()
            call(argument)
        elif heap and len(heap[0]) == CALLBACK:
            agenda.now, _, _, call, argument = heappop(heap)
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
            self.agenda.drain(super().step)
        except StopSimulation as stop:
            return stop.args[0]
        except EmptySchedule:
            if until is not None:
                raise RuntimeError(f"nothing is left to happen, but {until} has not") from None
        return None

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
        heappush(self.agenda.heap, (when_s, URGENT, next(self._eid), stop))
        return stop
