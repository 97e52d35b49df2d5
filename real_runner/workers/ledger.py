"""Which steps have been done on a node, request by request, and who waits for them."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

Step = tuple[int, int]
"""Attempt and number of a step of a request."""

_REMEMBERED = 65_536


class Ledger:
    """What is done, per job; a step that awaits others goes on once they are.

    Of jobs that are over their numbers are remembered for a while, so that what arrives late is
    known to be so.
    """

    def __init__(self) -> None:
        self._done: dict[int, dict[Step, asyncio.Event]] = {}
        self._over: OrderedDict[int, None] = OrderedDict()

    def is_over(self, job: int) -> bool:
        """Whether a job was closed, not too long ago."""
        return job in self._over

    def note(self, job: int, step: Step) -> None:
        """Note that a step's result lies here."""
        self._event(job, step).set()

    async def wait(self, job: int, attempt: int, steps: Sequence[int]) -> None:
        """Return once all of these steps of an attempt are done."""
        for step in steps:
            await self._event(job, (attempt, step)).wait()

    def close(self, job: int) -> None:
        """Forget a job."""
        self._done.pop(job, None)
        self._over[job] = None
        if len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)

    def _event(self, job: int, step: Step) -> asyncio.Event:
        events = self._done.setdefault(job, {})
        if step not in events:
            events[step] = asyncio.Event()
        return events[step]
