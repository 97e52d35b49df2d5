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
from math import inf
from typing import Any, TypeVar

from sim.engine.clock import Clock
from sim.engine.servers.disciplines import DISCIPLINES, Discipline
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
from sim.engine.servers.service import Service
from sim.engine.servers.turns import PoolTurn, Queue, order_of

T = TypeVar("T")


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
        self._hangs = False
        self._speed = 1.0
        self._count = 0
        self._queue = Queue()
        self._service = Service()
        self._running = self._service.running
        self._ticket = -1

    def submit(self, job: Job, done: Callable[[T, float], None], argument: T) -> Turn:
        """Queue ``job``; see `Server.submit`."""
        self._require(job)
        turn = PoolTurn(self._clock.now, job, done, argument)
        self._count += 1
        turn.order = (-job.priority if self._discipline.ranks else 0, self._count)
        if self._noise is not None:
            turn.factor = self._noise.factor()
        self._queue.add(turn)
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
        if not isinstance(turn, PoolTurn):
            return False
        if turn in self._running:
            self._sync()
            self._service.leave(turn)
        elif not self._queue.remove(turn):
            return False
        self._give_back(turn)
        self._change()
        return True

    def fail(self) -> list[Any]:
        """Go down; see `Server.fail`."""
        self._sync()
        lost = [*self._running]
        for turn in lost:
            self._service.leave(turn)
        lost += self._queue.clear()
        if self._memory is not None:
            self._memory.clear()
        self._up = self._hangs = False
        self._schedule()
        return [turn.argument for turn in lost if not turn.job.of_others]

    def recover(self) -> None:
        """Come up again; see `Server.recover`."""
        self._up = True

    def hang(self) -> None:
        """Stand still; see `Server.hang`."""
        if self._up:
            self._sync()
            self._hangs = True
            self._schedule()

    def resume(self) -> None:
        """Go on; see `Server.resume`."""
        if self._hangs:
            self._sync()
            self._hangs = False
            self._change()

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
        return len(self._queue)

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
        return self._queue.add_owed_s(self._service.owed_s)

    @property
    def busy_s(self) -> float:
        """Slot-seconds taken so far, except by jobs of others."""
        return self.taken_s - self.others_s

    @property
    def taken_s(self) -> float:
        """Slot-seconds taken so far by all jobs."""
        self._sync()
        return self._service.taken_s

    @property
    def others_s(self) -> float:
        """Slot-seconds taken so far by jobs of others."""
        self._sync()
        return self._service.others_s

    def _require(self, job: Job) -> None:
        require_service(job.service_s)
        if not self._up:
            raise RefusedError("the device is down; submit once it has recovered")
        if len(self._running) + len(self._queue) >= self._limit:
            raise RefusedError(f"the device is full: it takes {self._limit:.0f} jobs at once")
        if self._memory is not None:
            self._memory.require(job)

    def _rate(self) -> float:
        """Seconds of service that each job in service receives per second."""
        if self._hangs:
            return 0.0
        jobs = len(self._running)
        rate = self._speed / (1.0 + self._interference * (jobs - 1))
        shared = self._discipline.shares and jobs > self._slots
        return rate * self._slots / jobs if shared else rate

    def _sync(self) -> None:
        """Move the clocks of virtual work and of slot-seconds to now."""
        jobs = len(self._running)
        taken = min(jobs, self._slots) if self._discipline.shares else jobs
        rate = self._rate() if jobs else 0.0
        self._service.advance(self._clock.now, taken, rate)

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
        if self._hangs:
            return False
        for turn in self._queue.firsts():
            victim = self._victim(turn)
            if victim is turn:
                return False
            if self._load(turn):
                if victim is not None:
                    self._pause(victim)
                self._queue.remove(turn)
                self._service.enter(turn)
                return True
        return False

    def _victim(self, turn: PoolTurn) -> PoolTurn | None:
        """Return whom ``turn`` would have to interrupt: nobody, or, if it may not, ``turn``."""
        if self._discipline.shares or len(self._running) < self._slots:
            return None
        if not self._discipline.preempts:
            return turn
        last = max(self._running, key=order_of)
        return last if last.order[0] > turn.order[0] else turn

    def _load(self, turn: PoolTurn) -> bool:
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

    def _pause(self, turn: PoolTurn) -> None:
        self._service.leave(turn)
        self._queue.add(turn)

    def _give_back(self, turn: PoolTurn) -> None:
        if turn.admitted and self._memory is not None:
            self._memory.release(turn.job)

    def _schedule(self) -> None:
        """See to it that `_end` is called when the next job has received all it needs."""
        clock = self._clock
        if self._ticket >= 0:
            clock.cancel(self._ticket)
            self._ticket = -1
        first = self._service.first()
        if first is not None and not self._hangs:
            owed_s = max(0.0, first.mark_s - self._service.work_s)
            self._ticket = clock.at(clock.now + owed_s / self._rate(), self._end, first)

    def _end(self, turn: PoolTurn) -> None:
        self._ticket = -1
        self._sync()
        self._service.work_s = turn.mark_s  # exactly, so that equal marks end at one instant
        self._service.leave(turn)
        self._give_back(turn)
        self._change()
        turn.done(turn.argument, turn.start_s)
