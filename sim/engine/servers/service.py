"""The jobs in service at a pool, and the clocks that tell what each of them has received."""

from heapq import heappop, heappush
from typing import final

from sim.engine.servers.turns import Entry, PoolTurn


@final
class Service:
    """The turns in service, ``running``; what is asked of it holds as of the last `advance`.

    ``work_s`` is the service that each has received since the server was last empty, ``held_s``
    the slot-seconds that each has taken since ever, ``taken_s`` those of all together.
    """

    __slots__ = (
        "_at_s", "_entries", "_marks", "_others_s", "held_s", "running", "taken_s", "work_s",
    )  # fmt: skip

    def __init__(self) -> None:
        self.running: dict[PoolTurn, None] = {}
        self.work_s = 0.0
        self.held_s = 0.0
        self.taken_s = 0.0
        self._at_s = 0.0
        self._others_s = 0.0
        self._entries = 0
        self._marks: list[Entry] = []  # heap by mark; entries of those who left are stale

    def advance(self, now_s: float, slots: int, rate: float) -> None:
        """Move on to ``now_s``: since then they held so many slots, and were served at ``rate``."""
        jobs = len(self.running)
        if jobs:
            passed_s = now_s - self._at_s
            self.work_s += passed_s * rate
            self.held_s += passed_s * slots / jobs
            self.taken_s += passed_s * slots
        self._at_s = now_s

    def enter(self, turn: PoolTurn) -> None:
        """Serve ``turn`` from now on, until it has received what it is owed."""
        if not self.running:
            self.work_s = 0.0
            self._marks.clear()
        if not turn.start_s >= 0.0:  # NaN until its service begins for the first time
            turn.start_s = self._at_s
        turn.mark_s = self.work_s + turn.owed_s
        turn.held_mark_s = self.held_s
        self.running[turn] = None
        self._entries += 1
        heappush(self._marks, ((turn.mark_s, turn.order[1], self._entries), turn))

    def leave(self, turn: PoolTurn) -> None:
        """Stop serving ``turn``."""
        del self.running[turn]
        turn.end_s = self._at_s
        turn.owed_s = turn.mark_s - self.work_s
        held_s = self.held_s - turn.held_mark_s
        turn.held_s += held_s
        if turn.job.of_others:
            self._others_s += held_s

    def first(self) -> PoolTurn | None:
        """Return the one that will have received all it is owed before the others."""
        marks, running = self._marks, self.running
        while marks and not (marks[0][1] in running and marks[0][0][0] == marks[0][1].mark_s):
            heappop(marks)
        return marks[0][1] if marks else None

    @property
    def owed_s(self) -> float:
        """The service still due to all."""
        return sum((turn.mark_s - self.work_s for turn in self.running), 0.0)

    @property
    def others_s(self) -> float:
        """The slot-seconds taken by jobs of others."""
        held_s = self.held_s
        serving = (held_s - turn.held_mark_s for turn in self.running if turn.job.of_others)
        return self._others_s + sum(serving, 0.0)
