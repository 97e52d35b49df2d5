"""Which requests are still to be heard of: a request is settled when its last plan is."""

from real_runner.orchestration.flight import Flight
from sim.trace import Outcome


class Tickets:
    """One ticket per request: its plans that are not in the trace yet, and how it ended."""

    def __init__(self) -> None:
        self._expected = 0
        self._flights: dict[int, list[Flight]] = {}
        self._outcomes: dict[int, Outcome] = {}

    def expect(self, requests: int) -> None:
        """Count requests that are to come."""
        self._expected += requests

    def open(self, flight: Flight) -> None:
        """Note a plan that begins."""
        self._flights.setdefault(flight.request.index, []).append(flight)

    def flights_of(self, request: int) -> list[Flight]:
        """Return the plans of a request that are not closed."""
        return list(self._flights.get(request, ()))

    def close(self, flight: Flight) -> bool:
        """Note that nothing more is to be heard of a plan; false where that is known."""
        flights = self._flights.get(flight.request.index, [])
        if flight not in flights:
            return False
        flights.remove(flight)
        return True

    def conclude(self, outcome: Outcome) -> None:
        """Note how a request ended."""
        self._outcomes[outcome.request.index] = outcome

    def settled(self, request: int) -> Outcome | None:
        """Return, once, how a request ended whose plans are all closed; else None."""
        if request not in self._outcomes or self._flights.get(request):
            return None
        self._flights.pop(request, None)
        self._expected -= 1
        return self._outcomes.pop(request)

    @property
    def all_settled(self) -> bool:
        """Whether no request is open or to come."""
        return self._expected == 0
