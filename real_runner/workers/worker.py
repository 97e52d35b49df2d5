"""A node's worker: begins steps when what they await is there, and reports what became of them.

It decides nothing. The orchestrator says which steps there are; a step begins once the steps it
awaits are done here, whether they were computed here or arrived from another node. So most of a
plan goes on from node to node without asking anybody.
"""

import asyncio
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from real_runner.control.messages import control, stage_of
from real_runner.errors import StepError
from real_runner.executor import Array, Executor
from real_runner.wire.limits import Limits
from real_runner.wire.parcel import Parcel
from real_runner.wire.payloads import payload_of
from real_runner.wire.sending import Courier, Undelivered
from real_runner.workers.device import Device, Turn
from real_runner.workers.gates import Gates
from real_runner.workers.ledger import Ledger
from real_runner.workers.shelf import Shelf
from real_runner.workers.together import Gatherer, Member
from workloads.stage import Payload

Tell = Callable[..., None]
"""Sends a report, given as the one field of `control.Report` that it has, ``urgent`` or not."""

Key = tuple[int, int, int]
"""Job, attempt and number of a step."""

PROBE = Payload("probe", fixed_bytes=1.0)
"""A byte that belongs to no request: it shows that a way is open, and opens the connection."""

_RECEIPT_LATER_S = 0.001
"""So long a receipt, for which nothing waits, leaves the loop to what has waited for the parcel."""

_BIG_BYTES = 1 << 18
"""From here on copying is left to a thread, so that the loop stays free."""


@dataclass(frozen=True, slots=True)
class _Todo:
    """A step to do, as the orchestrator has put it, and what has become of it so far."""

    key: Key
    task: Any
    turn: Turn
    timeout_s: float

    @property
    def is_transfer(self) -> bool:
        return bool(self.task.HasField("transfer"))


class Worker:
    """One node at work for one run. All methods are for the thread of its event loop."""

    def __init__(  # noqa: PLR0913 - what a node consists of
        self,
        run: str,
        node: str,
        executor: Executor,
        device: Device,
        courier: Courier,
        tell: Tell,
        limits: Limits,
        *,
        compress: bool = False,
        gatherer: Gatherer | None = None,
    ) -> None:
        self.node = node
        self.gates = Gates()
        self._run = run
        self._executor = executor
        self._device = device
        self._gatherer = gatherer
        self._courier = courier
        self._tell = tell
        self._compress = compress
        self._ledger: Ledger[_Todo] = Ledger()
        self._limits = limits
        self._shelf = Shelf(limits)
        self._kept: dict[int, tuple[Payload, Array]] = {}
        self._turns: dict[Key, Turn] = {}
        self._steps: dict[Key, asyncio.Task[None]] = {}

    def begin(self, tasks: Any) -> None:
        """Take up steps of a request; each begins when what it awaits is there."""
        for task in tasks.tasks:
            key = (tasks.job, tasks.attempt, task.step)
            if len(self._turns) >= self._limits.waiting_steps:
                reason = f"this node has {len(self._turns)} steps to do, the most it takes on"
                self._tell(lost=control.Lost(id=_id(key), reason=reason))
                continue
            self._turns[key] = turn = Turn()
            todo = _Todo(key, task, turn, tasks.timeout_s)
            if self._ledger.enter(key[0], key[1], task.awaits, todo):
                self._take_up(todo)

    def keep(self, message: Any) -> None:
        """Keep an input in its slot, for the requests that will have it."""
        payload, array = _content(message.content)
        if message.continued:
            array = np.concatenate([self._kept[message.slot][1], array])
        self._kept[message.slot] = payload, array

    def give(self, inputs: Iterable[Any]) -> None:
        """Give requests what they bring along; `StepError` where it is of no use."""
        for message in inputs:
            is_kept = message.WhichOneof("what") == "slot"
            content = self._kept[message.slot] if is_kept else _content(message.content)
            self._executor.put(message.job, *content)

    async def accept(self, parcel: Parcel, end_ns: int) -> None:
        """Keep what has arrived from another node; `StepError` where it is of no use."""
        if self._ledger.is_over(parcel.job):
            raise StepError(f"request {parcel.job} is over")
        if parcel.payload != PROBE:
            self._shelf.add(parcel.job, parcel.array.nbytes)
            put = self._executor.put
            await _aside(parcel.array.nbytes, put, parcel.job, parcel.payload, parcel.array)
        end_ns = max(end_ns, time.monotonic_ns())  # before what has waited for it is ready
        step = (parcel.attempt, parcel.step)
        urgent = not self._ledger.is_awaited(parcel.job, step)
        for todo in self._ledger.note(parcel.job, step):
            self._take_up(todo)
        self._tell(
            urgent=urgent,
            finished=control.Finished(
                id=_id((parcel.job, *step)),
                source=parcel.source,
                queued_ns=parcel.queued_ns,
                start_ns=parcel.start_ns,
                end_ns=end_ns,
                size_bytes=parcel.size_bytes,
            ),
        )
        await asyncio.sleep(_RECEIPT_LATER_S)

    def refused(self, source: str, job: int, step: int, reason: str) -> None:
        """Tell that a parcel was of no use."""
        if not self._ledger.is_over(job):
            place = control.StepId(job=job, step=step)
            self._tell(malformed=control.Malformed(id=place, source=source, reason=reason))

    def cancel(self, key: Key) -> None:
        """Stop a step or let it never begin, and tell where it stood; none that is done."""
        turn, running = self._turns.get(key), self._steps.get(key)
        if turn is None:
            return
        (self._gatherer or self._device).cancel(turn)
        if running is None:
            self._drop(key, turn)
        elif not turn.computing:
            running.cancel()

    def forget(self, job: int) -> None:
        """Drop all that is left of a request."""
        for key in [key for key in self._turns if key[0] == job]:
            self.cancel(key)
        self._ledger.close(job)
        self._shelf.clear(job)
        self._executor.forget(job)

    def answer(self, job: int, payload: Any) -> None:
        """Tell what lies here of a request's result."""
        try:
            content = self._executor.get(job, payload_of(payload)).tobytes()
        except StepError as error:
            self._tell(answer=control.Answer(job=job, payload=payload, last=True, error=str(error)))
            return
        for start in range(0, max(len(content), 1), _PART_BYTES):
            part, is_last = (
                content[start : start + _PART_BYTES],
                start + _PART_BYTES >= len(content),
            )
            answer = control.Answer(job=job, payload=payload, content=part, last=is_last)
            self._tell(answer=answer)

    async def close(self) -> None:
        """Stop everything."""
        running = list(self._steps.values())
        for key in list(self._turns):
            self.cancel(key)
        await asyncio.gather(*running, return_exceptions=True)
        self._device.close()
        await self._courier.close()

    def _take_up(self, todo: _Todo) -> None:
        """Begin a step that lacks nothing any more, unless it is not wanted any more."""
        if not todo.turn.cancelled:
            todo.turn.queued_ns = time.monotonic_ns()
            self._steps[todo.key] = running = asyncio.create_task(self._follow(todo))
            running.add_done_callback(lambda _: self._drop(todo.key, todo.turn))

    async def _follow(self, todo: _Todo) -> None:
        """See a step through to its report, then at once one that has waited for it."""
        following: _Todo | None = todo
        while following is not None:
            following = self._next_of(await self._see_through(following))

    def _next_of(self, todos: Iterable[_Todo]) -> _Todo | None:
        """Take up steps but for one, a transfer if any, which is this task's from now on.

        So nothing that the event loop has to do besides comes between a result and its use.
        """
        wanted = [todo for todo in todos if not todo.turn.cancelled]
        found = min(wanted, key=lambda todo: not todo.is_transfer, default=None)
        for todo in wanted:
            if todo is not found:
                self._take_up(todo)
        if found is not None:
            running = asyncio.current_task()
            assert running is not None  # noqa: S101 - there is always one in a coroutine
            found.turn.queued_ns = time.monotonic_ns()
            self._steps[found.key] = running
        return found

    async def _see_through(self, todo: _Todo) -> list[_Todo]:
        """Do a step and return those that have waited for nothing else."""
        turn, following = todo.turn, list[_Todo]()
        try:
            if todo.is_transfer:
                await self._transfer(todo)
            else:
                following = await self._compute(todo.key, todo.task.compute, turn)
        except asyncio.CancelledError:
            turn.cancelled = True
        except StepError as error:
            self._lose(todo.key, turn, str(error))
        except Exception as error:  # noqa: BLE001 - a step that fails must not end its node
            traceback.print_exc()
            self._lose(todo.key, turn, f"{type(error).__name__}: {error}")
        self._drop(todo.key, turn)
        return following

    async def _compute(self, key: Key, compute: Any, turn: Turn) -> list[_Todo]:
        stages = tuple(stage_of(message) for message in compute.stages)
        work = partial(self._executor.run, key[0], stages, lambda: turn.cancelled)
        if self._gatherer is not None:
            holds_s = (compute.hold_s, *compute.together_s)
            await self._gatherer.run(Member(key[0], stages, turn, holds_s))
        else:
            sort = tuple(stage.sort for stage in stages)
            await self._device.run(turn, work, compute.hold_s, sort)
        if turn.cancelled:
            return []
        finished = control.Finished(
            id=_id(key),
            source=self.node,
            native_s=turn.native_s,
            tokens=turn.made.tokens,
            ended=turn.made.ended,
            share=turn.share,
            **_times(turn),
        )
        urgent = turn.made.ended or not self._ledger.is_awaited(key[0], key[1:])
        self._tell(urgent=urgent, finished=finished)
        return self._ledger.note(key[0], key[1:])

    async def _transfer(self, todo: _Todo) -> None:
        """Send a parcel; that it has arrived is for its receiver to report."""
        key, transfer, turn = todo.key, todo.task.transfer, todo.turn
        turn.start_ns = time.monotonic_ns()
        payload = payload_of(transfer.payload)
        end_s = time.monotonic() + todo.timeout_s
        try:
            async with asyncio.timeout(todo.timeout_s):
                await self.gates.passing(transfer.target)
        except TimeoutError:
            raise Undelivered(transfer.target, "timeout", "the way is closed") from None
        if payload == PROBE:
            array: Array = np.zeros(1, np.uint8)
        else:
            size_bytes = max(payload.elements, round(payload.fixed_bytes))
            array = await _aside(size_bytes, self._executor.get, key[0], payload)
        parcel = Parcel(
            run=self._run,
            job=key[0],
            attempt=key[1],
            step=key[2],
            source=self.node,
            target=transfer.target,
            payload=payload,
            codec=transfer.codec,
            queued_ns=turn.queued_ns,
            start_ns=turn.start_ns,
            array=array,
            trace=_traceparent(self._run, key),
        )
        await self._courier.send(
            parcel, end_s - time.monotonic(), compress=self._compress, fresh=transfer.fresh
        )

    def _lose(self, key: Key, turn: Turn, reason: str) -> None:
        turn.end_ns = time.monotonic_ns()
        self._tell(lost=control.Lost(id=_id(key), reason=reason, **_times(turn)))

    def _drop(self, key: Key, turn: Turn) -> None:
        """Let go of a step that has ended, and tell of one that was cancelled where it stood."""
        if self._turns.get(key) is turn:  # and not another try of the same, nor let go before
            del self._turns[key]
            self._steps.pop(key, None)
            if turn.cancelled:
                self._tell(cancelled=control.Cancelled(id=_id(key), **_times(turn)))


_PART_BYTES = 1 << 20


def _content(message: Any) -> tuple[Payload, Array]:
    array = np.frombuffer(message.content, message.dtype).reshape(tuple(message.shape))
    return payload_of(message.payload), array


def _id(key: Key) -> Any:
    return control.StepId(job=key[0], attempt=key[1], step=key[2])


def _traceparent(run: str, key: Key) -> str:
    """Return the step's place as a W3C trace context: a trace per request, a span per step."""
    job, attempt, step = key
    return f"00-{run:0>16}{job:016x}-{attempt:08x}{step + 1:08x}-01"


def _times(turn: Turn) -> dict[str, int]:
    end_ns = turn.end_ns or time.monotonic_ns()
    return {"queued_ns": turn.queued_ns, "start_ns": turn.start_ns, "end_ns": end_ns}


async def _aside(size_bytes: int, call: Callable[..., Any], *arguments: Any) -> Any:
    """Call at once where that is quick, else in a thread."""
    if size_bytes < _BIG_BYTES:
        return call(*arguments)
    return await asyncio.to_thread(call, *arguments)
