"""Batches: equal jobs that wait for each other a little, and are then served as one.

As the dynamic batchers of model servers do (Crankshaw et al., *Clipper*, NSDI 2017, section 4.3):
a batch is handed to the device once it is full or its first job has waited long enough. Until the
device takes it up it may still grow.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf, isnan
from typing import Any, TypeVar

from sim.engine.clock import Clock
from sim.engine.servers.pool import Pool
from sim.engine.servers.server import Job, RefusedError, Server, Turn

T = TypeVar("T")


class _Batch:
    """``turn`` is its place in the pool, once it has one; ``ticket`` when it will get it."""

    __slots__ = ("job", "members", "ticket", "turn")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.members: list[_Member] = []
        self.turn: Turn | None = None
        self.ticket = -1

    @property
    def whole(self) -> Job:
        """All its jobs as one."""
        count = len(self.members)
        return replace(
            self.job,
            service_s=self.job.batch_s[count - 1],
            working_bytes=self.job.working_bytes * count,
        )

    @property
    def begun(self) -> bool:
        """Whether the device has taken it up."""
        return self.turn is not None and not isnan(self.turn.start_s)

    def settle(self) -> None:
        """Tell the members what became of the whole; each holds an equal share of its slot."""
        if self.turn is not None:
            for member in self.members:
                member.start_s = self.turn.start_s
                member.end_s = self.turn.end_s
                member.held_s = self.turn.held_s / len(self.members)


class _Member(Turn):
    __slots__ = ("batch",)

    def __init__(
        self,
        now_s: float,
        job: Job,
        done: Callable[[Any, float], None],
        argument: Any,
        batch: _Batch,
    ) -> None:
        super().__init__(now_s, job, done, argument)
        self.batch = batch


class Batcher(Server):
    """A ``pool`` before which equal jobs gather, for at most ``wait_s`` and at most ``limit`` jobs.

    How many are served together, and for how long, is each job's ``batch_s``; jobs without are
    served alone. A job that is cancelled leaves its batch, which takes as long as before once it
    is in service.

    >>> clock = Clock()
    >>> gpu = Batcher(clock, Pool(clock), wait_s=1.0)
    >>> for name in "abc":
    ...     job = Job(1.0, kind=0, batch_s=(1.0, 1.5))
    ...     _ = gpu.submit(job, lambda job, start_s: print(job, start_s, clock.now), name)
    >>> clock.run()
    a 0.0 1.5
    b 0.0 1.5
    c 1.5 2.5
    """

    def __init__(self, clock: Clock, pool: Pool, wait_s: float = 0.0, limit: float = inf) -> None:
        self._clock = clock.agenda
        self._pool = pool
        self._wait_s = wait_s
        self._limit = limit
        self._batches: dict[_Batch, None] = {}
        self._growing: dict[int, _Batch] = {}  # by kind: the one that a further job may join

    def submit(self, job: Job, done: Callable[[T, float], None], argument: T) -> Turn:
        """Queue ``job``; see `Server.submit`."""
        if not self._pool.up:
            raise RefusedError("the device is down; submit once it has recovered")
        if self._limit < inf and self._present >= self._limit:
            raise RefusedError(f"the device is full: it takes {self._limit:.0f} jobs at once")
        if job.kind < 0 or len(job.batch_s) < 2:
            return self._pool.submit(job, done, argument)
        batch = self._growing.get(job.kind)
        if batch is None or batch.begun:
            batch = self._open(job)
        member = _Member(self._clock.now, job, done, argument, batch)
        batch.members.append(member)
        self._grow(batch)
        return member

    def cancel(self, turn: Turn) -> bool:
        """Take ``turn`` out; see `Server.cancel`."""
        if not isinstance(turn, _Member):
            return self._pool.cancel(turn)
        batch = turn.batch
        if turn not in batch.members:
            return False
        batch.members.remove(turn)
        turn.end_s = self._clock.now
        if batch.turn is not None:
            turn.start_s = batch.turn.start_s
        if not batch.members:
            self._drop(batch, turn)
        elif batch.turn is not None and not batch.begun:
            self._pool.resize(batch.turn, batch.whole)
        return True

    def fail(self) -> list[Any]:
        """Go down; see `Server.fail`."""
        lost: list[Any] = []
        for argument in self._pool.fail():
            if isinstance(argument, _Batch):
                argument.settle()
                lost += [member.argument for member in argument.members]
                argument.members.clear()
            else:
                lost.append(argument)
        for batch in self._batches:
            if batch.turn is None:
                self._clock.cancel(batch.ticket)
                lost += [member.argument for member in batch.members]
                batch.members.clear()
        self._batches.clear()
        self._growing.clear()
        return lost

    def recover(self) -> None:
        """Come up again; see `Server.recover`."""
        self._pool.recover()

    def hang(self) -> None:
        """Stand still; see `Server.hang`."""
        self._pool.hang()

    def resume(self) -> None:
        """Go on; see `Server.resume`."""
        self._pool.resume()

    def set_speed(self, factor: float) -> None:
        """Serve at ``factor`` times full speed from now on; see `Server.set_speed`."""
        self._pool.set_speed(factor)

    @property
    def up(self) -> bool:
        """Whether the server is not down."""
        return self._pool.up

    @property
    def waiting(self) -> int:
        """Jobs submitted that are not in service, whether their batch is complete or not."""
        return self._present - self.running

    @property
    def running(self) -> int:
        """Jobs in service."""
        served = (turn.argument for turn in self._pool.in_service)
        return sum(len(job.members) if isinstance(job, _Batch) else 1 for job in served)

    @property
    def backlog_s(self) -> float:
        """Slot-seconds at full speed still owed to all jobs, batches as complete as they are."""
        gathering = (batch.whole.service_s for batch in self._batches if batch.turn is None)
        return self._pool.backlog_s + sum(gathering, 0.0)

    @property
    def busy_s(self) -> float:
        """Slot-seconds taken so far, except by jobs of others."""
        return self._pool.busy_s

    @property
    def _present(self) -> int:
        handed = sum(1 for batch in self._batches if batch.turn is not None)
        alone = self._pool.waiting + self._pool.running - handed
        return alone + sum(len(batch.members) for batch in self._batches)

    def _open(self, job: Job) -> _Batch:
        batch = self._growing[job.kind] = _Batch(job)
        self._batches[batch] = None
        if self._wait_s > 0.0:
            batch.ticket = self._clock.at(self._clock.now + self._wait_s, self._wait_no_more, batch)
        return batch

    def _grow(self, batch: _Batch) -> None:
        """Take note of a new member: the batch may be full, or wait for nobody."""
        full = len(batch.members) == len(batch.job.batch_s)
        if full:
            del self._growing[batch.job.kind]
        if batch.turn is not None:
            self._pool.resize(batch.turn, batch.whole)
        elif full or batch.ticket < 0:
            if batch.ticket >= 0:
                self._clock.cancel(batch.ticket)
            self._hand_over(batch)

    def _wait_no_more(self, batch: _Batch) -> None:
        self._hand_over(batch)

    def _hand_over(self, batch: _Batch) -> None:
        batch.turn = self._pool.submit(batch.whole, self._ended, batch)

    def _ended(self, batch: _Batch, start_s: float) -> None:
        self._forget(batch)
        batch.settle()
        while batch.members:  # one that ends may cancel others
            member = batch.members.pop(0)
            member.done(member.argument, start_s)

    def _drop(self, batch: _Batch, last: Turn) -> None:
        """Give up a batch that its last member has left."""
        self._forget(batch)
        if batch.turn is None:
            self._clock.cancel(batch.ticket)
        else:
            self._pool.cancel(batch.turn)
            last.held_s = batch.turn.held_s

    def _forget(self, batch: _Batch) -> None:
        self._batches.pop(batch, None)
        if self._growing.get(batch.job.kind) is batch:
            del self._growing[batch.job.kind]
