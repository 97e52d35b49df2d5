"""What a worker has to tell its orchestrator, on its way out in as few messages as do.

Telling of a step by itself costs both ends a message, and the processor time of one, while the plan
goes on without it. So what nobody waits for is kept until something urgent follows, or for a while.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import accumulate
from typing import Any

from real_runner.control.messages import control

LONGEST_S = 0.05
"""How long what is not urgent may be kept: the orchestrator's view of the world is as old."""
LARGEST_BYTES = 1 << 20
"""Beyond this a message holds one report only, whatever its size."""


class Outbox:
    """Reports, in the order in which they are told."""

    def __init__(self) -> None:
        self._kept: list[Any] = []
        self._due = asyncio.Event()
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, *, urgent: bool = True, **report: Any) -> None:
        """Send a report, given as the one field of `control.Report` that it has."""
        self._kept.append(control.Report(**report))
        if urgent:
            self._due.set()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LONGEST_S, self._due.set)

    def end(self) -> None:
        """Let `messages` end once all has been sent."""
        self._ended = True
        self._due.set()

    async def messages(self) -> AsyncIterator[Any]:
        """Yield what is due as `control.Reports`."""
        while not self._ended or self._kept:
            await self._due.wait()
            self._due.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            while self._kept:
                count = self._fitting()
                kept, self._kept = self._kept[:count], self._kept[count:]
                yield control.Reports(reports=kept)

    def _fitting(self) -> int:
        """Return how many reports go into the next message: answers are long."""
        sizes_bytes: Iterator[int] = accumulate(report.ByteSize() for report in self._kept)
        return max(1, sum(size_bytes <= LARGEST_BYTES for size_bytes in sizes_bytes))
