"""Equal computations that are run together: what waits while the device is busy becomes one batch.

As in the simulator (`sim.engine.servers.batching`), a batch is handed to the device once it is full
or its first computation has waited long enough, and may grow until the device takes it up.
Which computations are equal is for their stages to say (`workloads.stage.Stage.sort`): rounds of
several texts meet in one pass (Yu et al., *Orca*, OSDI 2022).
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Protocol, runtime_checkable

from real_runner.errors import StepError
from real_runner.executor import NOTHING, Executor, Made
from real_runner.workers.device import Device, Turn
from workloads.stage import Stage

Work = tuple[int, tuple[Stage, ...]]
"""A request's number and the stages it is to run."""


@runtime_checkable
class Together(Protocol):
    """An executor that runs several requests' stages in one pass.

    It can be asked again, for each alone, for what it has refused to run together.
    """

    def run_together(self, works: Sequence[Work]) -> list[Made]:
        """Run equal stages of several requests; return what came of each, in their order."""
        ...


@dataclass(slots=True, eq=False)
class Member:
    """One computation, and the ``error`` that has come of it instead of a result.

    ``hold_s[n - 1]`` is how long n such hold the device at least; of more than it says, 0: as long
    as the work takes.
    """

    job: int
    stages: tuple[Stage, ...]
    turn: Turn
    hold_s: tuple[float, ...]
    error: Exception | None = None


class _Batch:
    """Members may come and go until it has ``begun``, which is for the device's thread to say."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.turn = Turn()
        self.begun = False
        self.full = asyncio.Event()
        self.done = asyncio.Event()
        self._lock = Lock()

    def join(self, member: Member) -> bool:
        """Take a member in, unless it is too late."""
        with self._lock:
            if not self.begun:
                self.members.append(member)
            return not self.begun

    def leave(self, member: Member) -> None:
        """Let a member go, unless it is too late."""
        with self._lock:
            if not self.begun:
                self.members.remove(member)

    def begin(self) -> list[Member]:
        """Say that its members are those that it has, but for who is not wanted any more."""
        with self._lock:
            self.begun = True
            self.members = [each for each in self.members if not each.turn.cancelled]
        for member in self.members:
            member.turn.computing = True
        return self.members

    def fail(self, error: Exception) -> None:
        """Let an error be every member's."""
        for member in self.members:
            member.error = error


class Gatherer:
    """Gathers at most ``largest`` computations for at most ``wait_s`` before ``device``."""

    def __init__(self, device: Device, executor: Executor, largest: int, wait_s: float) -> None:
        self._device = device
        self._executor = executor
        self._largest = largest
        self._wait_s = wait_s
        self._growing: dict[tuple[Stage, ...], _Batch] = {}
        self._batches: dict[_Batch, asyncio.Task[None]] = {}

    async def run(self, member: Member) -> None:
        """Return once a computation has been run, alone or with others; raise what it raised.

        One that is cancelled before the device has taken it up leaves its batch.
        """
        batch = self._join(tuple(stage.sort for stage in member.stages), member)
        if len(batch.members) >= self._largest:
            batch.full.set()
        try:
            await batch.done.wait()
        except asyncio.CancelledError:
            batch.leave(member)
            raise
        if member.error is not None:
            raise member.error

    def cancel(self, turn: Turn) -> None:
        """End a turn early; a batch that nobody wants any more lets go of its slot."""
        self._device.cancel(turn)
        for batch in self._batches:
            if batch.begun and all(member.turn.cancelled for member in batch.members):
                self._device.cancel(batch.turn)

    def _join(self, kind: tuple[Stage, ...], member: Member) -> _Batch:
        batch = self._growing.get(kind)
        if batch is None or batch.full.is_set() or not batch.join(member):
            batch = self._growing[kind] = _Batch()
            batch.join(member)
            self._batches[batch] = asyncio.create_task(self._see_through(kind, batch))
        return batch

    async def _see_through(self, kind: tuple[Stage, ...], batch: _Batch) -> None:
        with suppress(TimeoutError):  # whoever comes before the device is free may still join
            async with asyncio.timeout(self._wait_s):
                await batch.full.wait()
        batch.turn.queued_ns = time.monotonic_ns()
        try:
            await self._device.run(
                batch.turn, partial(self._compute, batch), partial(_held_s, batch)
            )
        except Exception as error:  # noqa: BLE001 - it is every member's
            batch.fail(error)
        finally:
            if self._growing.get(kind) is batch:
                del self._growing[kind]
            del self._batches[batch]
            _share(batch)
            batch.done.set()

    def _compute(self, batch: _Batch) -> Made:
        """Run whoever is there when the device takes the batch up."""
        members = batch.begin()
        if len(members) > 1 and isinstance(self._executor, Together):
            with suppress(StepError):  # of one of them, from which the others need not suffer
                every = self._executor.run_together([(each.job, each.stages) for each in members])
                for member, made in zip(members, every, strict=True):
                    member.turn.made = made
                return NOTHING
        for member in members:
            self._compute_alone(member)
        return NOTHING

    def _compute_alone(self, member: Member) -> None:
        turn = member.turn
        try:
            turn.made = self._executor.run(member.job, member.stages, lambda: turn.cancelled)
        except StepError as error:
            member.error = error


def _held_s(batch: _Batch) -> float:
    count = len(batch.members)
    figures_s = batch.members[0].hold_s if batch.members else ()
    return figures_s[count - 1] if 0 < count <= len(figures_s) else 0.0


def _share(batch: _Batch) -> None:
    """Give each member the times of the whole, and an equal share of its slot."""
    turn = batch.turn
    for member in batch.members:
        member.turn.start_ns, member.turn.end_ns = turn.start_ns, turn.end_ns
        member.turn.native_s = turn.native_s
        member.turn.share = 1 / len(batch.members)
