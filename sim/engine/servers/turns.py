"""The turns of a pool, and the queue that they wait in."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, final

from sim.engine.servers.server import Job, Turn


@final
class PoolTurn(Turn):
    """``owed_s`` is the service still due while it is not served, ``mark_s`` where that ends."""

    __slots__ = ("admitted", "factor", "held_mark_s", "mark_s", "order", "owed_s")

    def __init__(
        self, queued_s: float, job: Job, done: Callable[[Any, float], None], argument: Any
    ) -> None:
        super().__init__(queued_s, job, done, argument)
        self.order = (0, 0)
        self.factor = 1.0
        self.admitted = False
        self.owed_s = 0.0
        self.mark_s = 0.0
        self.held_mark_s = 0.0


Entry = tuple[Any, PoolTurn]
"""What lies in a heap of turns: what it is sorted by, and the turn."""


@final
class Queue:
    """The turns that are not in service, each kind by priority and arrival.

    They wait for their service to begin, or were interrupted, their memory still theirs.
    """

    __slots__ = ("_interrupted", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[Entry] = []
        self._interrupted: list[Entry] = []

    def __len__(self) -> int:
        return len(self._waiting) + len(self._interrupted)

    def add(self, turn: PoolTurn) -> None:
        """Let a turn wait, or wait on where it was interrupted."""
        heappush(self._heap_of(turn), (turn.order, turn))

    def remove(self, turn: PoolTurn) -> bool:
        """Take a turn out; say whether it was there."""
        heap = self._heap_of(turn)
        if heap and heap[0][1] is turn:
            heappop(heap)
            return True
        for place, (_, other) in enumerate(heap):
            if other is turn:
                heap[place] = heap[-1]
                heap.pop()
                heapify(heap)
                return True
        return False

    def firsts(self) -> list[PoolTurn]:
        """Return the first of each kind, the one that comes first before the other."""
        heads = sorted(heap[0] for heap in (self._interrupted, self._waiting) if heap)
        return [turn for _, turn in heads]

    def clear(self) -> list[PoolTurn]:
        """Take all out, the interrupted ones first, and return them."""
        turns = [turn for _, turn in sorted(self._interrupted) + sorted(self._waiting)]
        self._interrupted.clear()
        self._waiting.clear()
        return turns

    def add_owed_s(self, owed_s: float) -> float:
        """Return ``owed_s`` and the service due to all of these, before noise to those waiting."""
        owed_s += sum((turn.owed_s for _, turn in self._interrupted), 0.0)
        return owed_s + sum((turn.job.service_s for _, turn in self._waiting), 0.0)

    def _heap_of(self, turn: PoolTurn) -> list[Entry]:
        return self._interrupted if turn.start_s >= 0.0 else self._waiting


def order_of(turn: PoolTurn) -> tuple[int, int]:
    """Return what turns are ranked by: priority, then arrival."""
    return turn.order
