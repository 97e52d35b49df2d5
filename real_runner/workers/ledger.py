"""Which steps have been done on a node, request by request, and what waits for them."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Step = tuple[int, int]
"""Attempt and number of a step of a request."""

Waiting = TypeVar("Waiting")

_REMEMBERED = 65_536


@dataclass(slots=True)
class _Entry(Generic[Waiting]):
    waiting: Waiting
    lacks: set[Step]


class Ledger(Generic[Waiting]):
    """What is done, per job, and what goes on once all that it lacks is.

    Of jobs that are over their numbers are remembered for a while, so that what arrives late is
    known to be so.
    """

    def __init__(self) -> None:
        self._done: dict[int, set[Step]] = {}
        self._entries: dict[int, dict[Step, list[_Entry[Waiting]]]] = {}
        self._over: OrderedDict[int, None] = OrderedDict()

    def is_over(self, job: int) -> bool:
        """Whether a job was closed, not too long ago."""
        return job in self._over

    def is_awaited(self, job: int, step: Step) -> bool:
        """Whether anything here waits for a step."""
        return step in self._entries.get(job, {})

    def note(self, job: int, step: Step) -> list[Waiting]:
        """Note that a step's result lies here; return what has waited for it and lacks no more.

        Of a job that is over nothing is noted.
        """
        if job in self._over:
            return []
        self._done.setdefault(job, set()).add(step)
        entries = self._entries.get(job, {}).pop(step, [])
        for entry in entries:
            entry.lacks.discard(step)
        return [entry.waiting for entry in entries if not entry.lacks]

    def enter(self, job: int, attempt: int, steps: Iterable[int], waiting: Waiting) -> bool:
        """Return whether all of these steps are done; if not, `note` will return ``waiting``."""
        lacks = {(attempt, step) for step in steps} - self._done.get(job, set())
        if not lacks:
            return True
        entry, entries = _Entry(waiting, lacks), self._entries.setdefault(job, {})
        for step in lacks:
            entries.setdefault(step, []).append(entry)
        return False

    def close(self, job: int) -> None:
        """Forget a job."""
        self._done.pop(job, None)
        self._entries.pop(job, None)
        self._over[job] = None
        if len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)
