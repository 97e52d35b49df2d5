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
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, runtime_checkable

from real_runner.executor import NOTHING, Executor, Made
from real_runner.workers.device import Device, Turn
from workloads.stage import Stage

Work = tuple[int, tuple[Stage, ...]]
"""A request's number and the stages it is to run."""


@runtime_checkable
class Together(Protocol):
    """An executor that runs several requests' stages in one pass."""

    def run_together(self, works: Sequence[Work]) -> list[Made]:
        """Run equal stages of several requests; return what came of each, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """One computation; ``hold_s[n - 1]`` is how long n such hold the device at least."""

    job: int
    stages: tuple[Stage, ...]
    turn: Turn
    hold_s: tuple[float, ...]


@dataclass(slots=True)
class _Batch:
    members: list[Member] = field(default_factory=list)
    begun: bool = False
    full: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None


class Gatherer:
    """Gathers at most ``largest`` computations for at most ``wait_s`` before ``device``."""

    def __init__(self, device: Device, executor: Executor, largest: int, wait_s: float) -> None:
        self._device = device
        self._executor = executor
        self._largest = largest
        self._wait_s = wait_s
        self._growing: dict[tuple[Stage, ...], _Batch] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, member: Member) -> None:
        """Return once a computation has been run, alone or with others; raise what it raised.

        One that is cancelled before the device has taken it up leaves its batch.
        """
        batch = self._batch_for(tuple(stage.sort for stage in member.stages))
        batch.members.append(member)
        if len(batch.members) >= self._largest:
            batch.full.set()
        try:
            await batch.done.wait()
        except asyncio.CancelledError:
            if not batch.begun:
                batch.members.remove(member)
            raise
        if batch.error is not None:
            raise batch.error

    def _batch_for(self, kind: tuple[Stage, ...]) -> _Batch:
        batch = self._growing.get(kind)
        if batch is None or batch.begun or batch.full.is_set():
            batch = self._growing[kind] = _Batch()
            running = asyncio.create_task(self._see_through(kind, batch))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        return batch

    async def _see_through(self, kind: tuple[Stage, ...], batch: _Batch) -> None:
        with suppress(TimeoutError):  # whoever comes before the device is free may still join
            async with asyncio.timeout(self._wait_s):
                await batch.full.wait()
        turn = Turn(queued_ns=time.monotonic_ns())
        try:
            await self._device.run(turn, partial(self._compute, batch), partial(_held_s, batch))
        except Exception as error:  # noqa: BLE001 - it is every member's
            batch.error = error
        finally:
            if self._growing.get(kind) is batch:
                del self._growing[kind]
            _share(batch, turn)
            batch.done.set()

    def _compute(self, batch: _Batch) -> Made:
        """Run whoever is there when the device takes the batch up."""
        batch.begun = True
        members = list(batch.members)
        for member in members:
            member.turn.computing = True
        works = [(member.job, member.stages) for member in members]
        if isinstance(self._executor, Together):
            every = self._executor.run_together(works) if works else []
        else:
            every = [self._executor.run(job, stages) for job, stages in works]
        for member, made in zip(members, every, strict=True):
            member.turn.made = made
        return NOTHING


def _held_s(batch: _Batch) -> float:
    count = len(batch.members)
    return batch.members[0].hold_s[count - 1] if count else 0.0


def _share(batch: _Batch, turn: Turn) -> None:
    """Give each member the times of the whole, and an equal share of its slot."""
    for member in batch.members:
        member.turn.start_ns, member.turn.end_ns = turn.start_ns, turn.end_ns
        member.turn.native_s = turn.native_s
        member.turn.share = 1 / len(batch.members)
