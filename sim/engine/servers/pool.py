"""A server of every discipline: jobs in service progress together, at one rate.

Who is in service is the discipline's to say (`DISCIPLINES`); all who are progress equally fast:
``speed × min(1, slots / jobs) / (1 + interference × others)``. So there is one clock of *virtual
work*, the seconds of service that every job in service has received since the server was last
empty. A job that enters gets a mark on it, where it will have received all it needs; a change of
rate moves no mark, only the moment when the first is reached. As a network's flows, in
`sim.engine.network`. A second clock of the slot-seconds that each job in service took tells what
each has held.

Formulas: Kleinrock, *Queueing Systems* II (1976), chapter 3 (priorities), 4 (sharing).
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Final, NamedTuple, TypeVar

from sim.engine.clock import Clock
from sim.engine.servers.memory import Memory
from sim.engine.servers.noise import Noise
from sim.engine.servers.server import (
    Job,
    RefusedError,
    Server,
    Turn,
    require_service,
    require_slots,
    require_speed,
)

T = TypeVar("T")


class Discipline(NamedTuple):
    """Whether all are served at once, by priority, and whether a higher one interrupts."""

    shares: bool = False
    ranks: bool = False
    preempts: bool = False


DISCIPLINES: Final = {
    "fifo": Discipline(),
    "processor-sharing": Discipline(shares=True),
    "priority": Discipline(ranks=True),
    "preemptive-priority": Discipline(ranks=True, preempts=True),
}


class _Turn(Turn):
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


_Entry = tuple[Any, _Turn]


class Pool(Server):
    """``slots`` equal slots under a ``discipline``; 1,000 one-second jobs share one for 1,000 s.

    ``interference`` is the relative slow-down by each other job in service. A job waits until its
    working set fits into ``memory``, those behind it with it. At most ``limit`` jobs are in the
    system at once. ``noise`` multiplies service times.

    >>> clock = Clock()
    >>> core = Pool(clock, 1, "processor-sharing")
    >>> for name, service_s in [("a", 1.0), ("b", 2.0)]:
    ...     _ = core.submit(Job(service_s), lambda job, _: print(job, clock.now), name)
    >>> clock.run()
    a 2.0
    b 3.0
    """

    def __init__(
        self,
        clock: Clock,
        slots: int = 1,
        discipline: str = "fifo",
        *,
        interference: float = 0.0,
        memory: Memory | None = None,
        limit: float = inf,
        noise: Noise | None = None,
    ) -> None:
        require_slots(slots)
        self._clock = clock.agenda
        self._slots = slots
        self._discipline: Discipline = DISCIPLINES[discipline]
        self._interference = interference
        self._memory = memory
        self._limit = limit
        self._noise = noise
        self._up = True
        self._speed = 1.0
        self._count = 0
        self._entries = 0
        self._waiting: list[_Entry] = []  # heap by order
        self._paused: list[_Entry] = []  # heap by order; interrupted, their memory still theirs
        self._running: dict[_Turn, None] = {}
        self._marks: list[_Entry] = []  # heap by mark; entries of those who left are stale
        self._ticket = -1
        self._at_s = 0.0
        self._work_s = 0.0
        self._held_s = 0.0
        self._slot_s = 0.0
        self._others_s = 0.0

    def submit(self, job: Job, done: Callable[[T, float], None], argument: T) -> Turn:
        """Queue ``job``; see `Server.submit`."""
        self._require(job)
        turn = _Turn(self._clock.now, job, done, argument)
        self._count += 1
        turn.order = (-job.priority if self._discipline.ranks else 0, self._count)
        if self._noise is not None:
            turn.factor = self._noise.factor()
        heappush(self._waiting, (turn.order, turn))
        self._sync()
        if self._admit():
            self._change()
        return turn

    def resize(self, turn: Turn, job: Job) -> None:
        """Let ``turn``, which must be waiting still, be one of ``job`` from now on.

        The caller sees to it that its priority is the same.
        """
        turn.job = job

    def cancel(self, turn: Turn) -> bool:
        """Take ``turn`` out; see `Server.cancel`."""
        if not isinstance(turn, _Turn):
            return False
        if turn in self._running:
            self._sync()
            self._leave(turn)
        elif not (_take(self._waiting, turn) or _take(self._paused, turn)):
            return False
        self._give_back(turn)
        self._change()
        return True

    def fail(self) -> list[Any]:
        """Go down; see `Server.fail`."""
        self._sync()
        lost = [*self._running]
        for turn in lost:
            self._leave(turn)
        lost += [turn for _, turn in sorted(self._paused) + sorted(self._waiting)]
        self._paused.clear()
        self._waiting.clear()
        if self._memory is not None:
            self._memory.clear()
        self._up = False
        self._schedule()
        return [turn.argument for turn in lost if not turn.job.of_others]

    def recover(self) -> None:
        """Come up again; see `Server.recover`."""
        self._up = True

    def set_speed(self, factor: float) -> None:
        """Serve at ``factor`` times full speed from now on; see `Server.set_speed`."""
        require_speed(factor)
        self._sync()
        self._speed = factor
        self._schedule()

    @property
    def slots(self) -> int:
        """The slots there are now."""
        return self._slots

    def set_slots(self, slots: int) -> None:
        """Have ``slots`` slots from now on; jobs in service on slots that go finish there."""
        require_slots(slots)
        self._sync()
        self._slots = slots
        self._change()

    @property
    def up(self) -> bool:
        """Whether the server is not down."""
        return self._up

    @property
    def waiting(self) -> int:
        """Jobs submitted that are not in service, interrupted ones included."""
        return len(self._waiting) + len(self._paused)

    @property
    def running(self) -> int:
        """Jobs in service."""
        return len(self._running)

    @property
    def in_service(self) -> list[Turn]:
        """The turns of the jobs in service."""
        return list(self._running)

    @property
    def backlog_s(self) -> float:
        """Slot-seconds at full speed still owed to all jobs, before noise for those waiting."""
        self._sync()
        owed_s = sum((turn.mark_s - self._work_s for turn in self._running), 0.0)
        owed_s += sum((turn.owed_s for _, turn in self._paused), 0.0)
        return owed_s + sum((turn.job.service_s for _, turn in self._waiting), 0.0)

    @property
    def busy_s(self) -> float:
        """Slot-seconds taken so far, except by jobs of others."""
        return self.taken_s - self.others_s

    @property
    def taken_s(self) -> float:
        """Slot-seconds taken so far by all jobs."""
        self._sync()
        return self._slot_s

    @property
    def others_s(self) -> float:
        """Slot-seconds taken so far by jobs of others."""
        self._sync()
        now_s = self._held_s
        serving = (now_s - turn.held_mark_s for turn in self._running if turn.job.of_others)
        return self._others_s + sum(serving, 0.0)

    def _require(self, job: Job) -> None:
        require_service(job.service_s)
        if not self._up:
            raise RefusedError("the device is down; submit once it has recovered")
        present = len(self._running) + len(self._waiting) + len(self._paused)
        if present >= self._limit:
            raise RefusedError(f"the device is full: it takes {self._limit:.0f} jobs at once")
        if self._memory is not None:
            self._memory.require(job)

    def _rate(self) -> float:
        """Seconds of service that each job in service receives per second."""
        jobs = len(self._running)
        rate = self._speed / (1.0 + self._interference * (jobs - 1))
        shared = self._discipline.shares and jobs > self._slots
        return rate * self._slots / jobs if shared else rate

    def _sync(self) -> None:
        """Move the clocks of virtual work and of slot-seconds to now."""
        now = self._clock.now
        jobs = len(self._running)
        if jobs:
            passed_s = now - self._at_s
            taken = min(jobs, self._slots) if self._discipline.shares else jobs
            self._work_s += passed_s * self._rate()
            self._held_s += passed_s * taken / jobs
            self._slot_s += passed_s * taken
        self._at_s = now

    def _change(self) -> None:
        """Let in who may be served now, then see who ends next."""
        self._sync()
        while self._admit():
            pass
        self._schedule()

    def _admit(self) -> bool:
        """Begin or resume the next job; return false if none has a place.

        Where the first who waits finds no memory, one who was interrupted goes on: its is held.
        """
        for _, turn in sorted(heap[0] for heap in (self._paused, self._waiting) if heap):
            victim = self._victim(turn)
            if victim is turn:
                return False
            if self._load(turn):
                if victim is not None:
                    self._pause(victim)
                _take(self._paused if turn.start_s >= 0.0 else self._waiting, turn)
                self._enter(turn)
                return True
        return False

    def _victim(self, turn: _Turn) -> _Turn | None:
        """Return whom ``turn`` would have to interrupt: nobody, or, if it may not, ``turn``."""
        if self._discipline.shares or len(self._running) < self._slots:
            return None
        if not self._discipline.preempts:
            return turn
        last = max(self._running, key=_order)
        return last if last.order[0] > turn.order[0] else turn

    def _load(self, turn: _Turn) -> bool:
        """Take the memory that ``turn`` needs, and add to what it is owed the time to load it."""
        if turn.admitted:
            return True
        load_s = 0.0
        if self._memory is not None:
            load_s = self._memory.admit(turn.job, self._clock.now)
            if load_s < 0.0:
                return False
        turn.admitted = True
        turn.owed_s = turn.job.service_s * turn.factor + load_s
        return True

    def _enter(self, turn: _Turn) -> None:
        if not self._running:
            self._work_s = 0.0
            self._marks.clear()
        if not turn.start_s >= 0.0:  # NaN until its service begins for the first time
            turn.start_s = self._clock.now
        turn.mark_s = self._work_s + turn.owed_s
        turn.held_mark_s = self._held_s
        self._running[turn] = None
        self._entries += 1
        heappush(self._marks, ((turn.mark_s, turn.order[1], self._entries), turn))

    def _pause(self, turn: _Turn) -> None:
        self._leave(turn)
        heappush(self._paused, (turn.order, turn))

    def _leave(self, turn: _Turn) -> None:
        """Stop serving ``turn``; the clocks must show now."""
        del self._running[turn]
        turn.end_s = self._clock.now
        turn.owed_s = turn.mark_s - self._work_s
        held_s = self._held_s - turn.held_mark_s
        turn.held_s += held_s
        if turn.job.of_others:
            self._others_s += held_s

    def _give_back(self, turn: _Turn) -> None:
        if turn.admitted and self._memory is not None:
            self._memory.release(turn.job)

    def _schedule(self) -> None:
        """See to it that `_end` is called when the next job has received all it needs."""
        clock, marks = self._clock, self._marks
        if self._ticket >= 0:
            clock.cancel(self._ticket)
            self._ticket = -1
        while marks and not _is_current(marks[0], self._running):
            heappop(marks)
        if marks:
            owed_s = max(0.0, marks[0][1].mark_s - self._work_s)
            self._ticket = clock.at(clock.now + owed_s / self._rate(), self._end, marks[0][1])

    def _end(self, turn: _Turn) -> None:
        self._ticket = -1
        self._sync()
        self._work_s = turn.mark_s  # exactly, so that equal marks end at one instant
        self._leave(turn)
        self._give_back(turn)
        self._change()
        turn.done(turn.argument, turn.start_s)


def _order(turn: _Turn) -> tuple[int, int]:
    return turn.order


def _is_current(entry: _Entry, running: dict[_Turn, None]) -> bool:
    """Whether a mark is still that of a job in service."""
    return entry[1] in running and entry[0][0] == entry[1].mark_s


def _take(heap: list[_Entry], turn: _Turn) -> bool:
    """Take ``turn`` out of a heap; say whether it was there."""
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
