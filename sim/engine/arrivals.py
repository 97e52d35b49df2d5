"""The arrivals of a run in simulated time, and the end of it: when every request has ended."""

from collections.abc import Callable
from typing import final

from sim.engine.clock import Clock
from sim.engine.world import Observer
from sim.source import Source
from workloads.stage import Request


@final
class Arrivals:
    """Calls ``arrive(request)`` for each request of ``source`` in its time.

    Those known in advance come onto the clock one at a time, which keeps its heap short; each in
    the place it would have if all had come first. ``over`` is an event that happens once as many
    have ended as will ever arrive.
    """

    def __init__(
        self,
        clock: Clock,
        observer: Observer,
        source: Source,
        arrive: Callable[[Request], None],
    ) -> None:
        self.over = clock.event()
        self._agenda = clock.agenda
        self._observer = observer
        self._source = source
        self._arrive = arrive
        self._known = source.first()
        self._awaited = 0
        self._first_ticket = self._agenda.reserve(len(self._known))
        self._open = len(self._known)
        for request in self._known:
            observer.look_ahead(request.arrival_s)
        self._await_next()

    def ended(self, request: Request) -> None:
        """Note that a request has ended: another may follow it, or none be left."""
        following = self._source.after(request, self._agenda.now)
        if following is not None:
            self._observer.look_ahead(following.arrival_s)
            self._agenda.at(following.arrival_s, self._arrive, following)
            return
        self._open -= 1
        if self._open == 0:
            self.over.succeed()

    def _await_next(self) -> None:
        place = self._awaited
        if place < len(self._known):
            self._awaited = place + 1
            request = self._known[place]
            ticket = self._first_ticket + place
            self._agenda.put(request.arrival_s, ticket, self._arrive_in_turn, request)

    def _arrive_in_turn(self, request: Request) -> None:
        self._await_next()
        self._arrive(request)
