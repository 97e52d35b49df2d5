"""One peer's stream as it comes in: its parcels take turns, and each stands or falls by itself.

A parcel that is refused does not end the stream that it came on; a message that belongs to no
parcel does. Reading never waits for a parcel, only for receipts that the sender does not read.
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack, suppress
from typing import Any, Protocol

import grpc

from real_runner.errors import StepError
from real_runner.wire.delivery import Delivery
from real_runner.wire.frames import OPENING, STOP, Frame, read_frame, receipt
from real_runner.wire.headers import Announced
from real_runner.wire.limits import KIB, Limits
from real_runner.wire.parcel import Parcel
from real_runner.wire.refusals import Refusal, UnwantedError, is_fault, refusal_for
from real_runner.wire.room import NoRoomError, Room

UNKNOWN = -1

_LEAST_COUNTED_BYTES = 4 * KIB
"""A message that is passed over counts for so much at least: looking at it costs, too."""
_OK = (grpc.StatusCode.OK, "")
_STALLED = (grpc.StatusCode.DEADLINE_EXCEEDED, "content: nothing came for too long")
_LATE = (grpc.StatusCode.DEADLINE_EXCEEDED, "its time was up before it was accepted")


class Desk(Protocol):
    """Where parcels are handed in; all of it raises `StepError` where a parcel is no good."""

    @property
    def accept(self) -> Callable[[Parcel, int], Awaitable[None]]:
        """Takes a parcel, and when it was there."""

    @property
    def refused(self) -> Callable[[str, int, int, str], None]:
        """Is told whose parcel was no good, of which job and step, and why."""

    @property
    def limits(self) -> Limits:
        """Bound what may come in its run."""

    def read(self, header: bytes) -> Announced:
        """Return what a header announces."""

    def check(self, announced: Announced, bearer: str | None) -> None:
        """See whether it may come from the peer whose certificate names ``bearer``, if any."""


class Intake:
    """What has come of each parcel on a stream, and those that are whole and being accepted.

    ``desk`` tells where parcels are handed in that begin to come now, if anywhere.
    """

    def __init__(
        self,
        context: Any,
        bearer: str | None,
        desk: Callable[[], Desk | None],
        room: Room,
        limits: Limits,
    ) -> None:
        self._context = context
        self._bearer = bearer
        self._desk = desk
        self._room = room
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._highest = 0
        self._coming: dict[int, tuple[Desk, Delivery]] = {}
        self._whole: dict[int, asyncio.Task[None]] = {}
        self._unwanted: dict[int, int] = {}
        """What was refused before its last message: how many more bytes of it are put up with."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()

    async def take_all(self) -> str | None:
        """Take in what comes until the sender ends the stream, or is at fault: return how."""
        while (message := await self._context.read()) is not grpc.aio.EOF:
            try:
                await self._take(read_frame(message))
            except StepError as error:
                return str(error)
            while len(self._tasks) > 2 * self._limits.flight_parcels:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        return None

    def close(self) -> None:
        """Give up what is under way: nobody waits for it any more."""
        for task in self._tasks:
            task.cancel()
        for _, delivery in self._coming.values():
            delivery.held.close()
        self._coming.clear()

    async def _take(self, frame: Frame) -> None:
        """Take a message; `StepError` where it belongs to no parcel."""
        if frame.kind == OPENING:
            await self._open(frame)
        elif frame.ticket > self._highest:
            raise StepError(f"frame: ticket {frame.ticket} belongs to no parcel")
        elif frame.kind == STOP:
            self._stop(frame.ticket)
        elif frame.ticket in self._coming:
            await self._add(frame, *self._coming[frame.ticket])
        else:
            self._pass_over(frame)

    async def _open(self, frame: Frame) -> None:
        if frame.ticket <= self._highest:
            raise StepError(f"frame: ticket {frame.ticket} comes after {self._highest}")
        self._highest = frame.ticket
        desk, culprit = self._desk(), (self._bearer or "", UNKNOWN, UNKNOWN)
        with ExitStack() as held:
            try:
                if desk is None:
                    raise UnwantedError("this node takes part in no run")
                held.enter_context(self._room.parcel())
                announced = desk.read(frame.header)
                culprit = self._culprit(announced)
                desk.check(announced, self._bearer)
                held.enter_context(self._room.hold(announced.held_bytes))
            except (StepError, NoRoomError) as error:
                refusal = refusal_for(error)
            else:
                delivery = Delivery(announced, held.pop_all(), desk.limits, frame.left_s)
                self._coming[frame.ticket] = desk, delivery
                await self._add(frame, desk, delivery)
                return
        await self._refuse(frame, desk, culprit, refusal)

    async def _add(self, frame: Frame, desk: Desk, delivery: Delivery) -> None:
        """Put a piece to what has come of its parcel."""
        try:
            delivery.add(frame)
        except StepError as error:
            refusal = refusal_for(error)
        else:
            if frame.is_last:
                del self._coming[frame.ticket]
                self._hand_over(frame.ticket, desk, delivery)
            elif frame.kind == OPENING:
                self._watch(frame.ticket)
            return
        del self._coming[frame.ticket]
        delivery.held.close()
        await self._refuse(frame, desk, self._culprit(delivery.announced), refusal)

    async def _refuse(
        self, frame: Frame, desk: Desk | None, culprit: tuple[str, int, int], refusal: Refusal
    ) -> None:
        """Answer no; what is still to come of the parcel will be passed over."""
        if not frame.is_last:
            self._unwanted[frame.ticket] = self._limits.parcel_bytes
        if desk is not None and is_fault(refusal):
            desk.refused(*culprit, refusal[1])
        await self._answer(frame.ticket, refusal)
        if len(self._unwanted) > self._limits.waiting_steps:
            raise StepError(f"frame: {len(self._unwanted)} parcels were refused and never ended")

    def _pass_over(self, frame: Frame) -> None:
        """Pass over what was refused, unless it never ends."""
        counted_bytes = max(len(frame.content), _LEAST_COUNTED_BYTES)
        left_bytes = self._unwanted.pop(frame.ticket, 0) - counted_bytes
        if left_bytes < 0:
            raise StepError(f"frame: ticket {frame.ticket} goes on after its end")
        if not frame.is_last:
            self._unwanted[frame.ticket] = left_bytes

    def _stop(self, ticket: int) -> None:
        """Give up a parcel that the sender takes back, wherever it is."""
        self._unwanted.pop(ticket, None)
        if ticket in self._coming:
            self._coming.pop(ticket)[1].held.close()
        elif ticket in self._whole:
            self._whole[ticket].cancel()

    def _watch(self, ticket: int) -> None:
        """Give a parcel up once nothing has come of it for too long."""
        if ticket not in self._coming:
            return
        due_s = self._coming[ticket][1].due_s
        if self._loop.time() < due_s:
            self._loop.call_at(due_s, self._watch, ticket)
            return
        self._coming.pop(ticket)[1].held.close()
        self._unwanted[ticket] = self._limits.parcel_bytes
        self._start(self._answer(ticket, _STALLED))

    def _hand_over(self, ticket: int, desk: Desk, delivery: Delivery) -> None:
        task = self._start(self._see_accepted(ticket, desk, delivery))
        self._whole[ticket] = task

        def let_go(_: object) -> None:  # one that is cancelled at once has never begun
            delivery.held.close()
            self._whole.pop(ticket, None)

        task.add_done_callback(let_go)

    async def _see_accepted(self, ticket: int, desk: Desk, delivery: Delivery) -> None:
        """Decode a parcel, hand it in and answer."""
        with delivery.held:
            refusal = await self._handed_in(desk, delivery)
        del self._whole[ticket]  # from here on it cannot be taken back
        if is_fault(refusal) and refusal is not _OK:
            desk.refused(*self._culprit(delivery.announced), refusal[1])
        await self._answer(ticket, refusal)

    async def _handed_in(self, desk: Desk, delivery: Delivery) -> Refusal:
        try:
            async with asyncio.timeout_at(delivery.end_s) as patience:
                if delivery.is_quick(self._limits.aside_bytes):
                    array = delivery.decoded()
                else:
                    array = await asyncio.to_thread(delivery.decoded)
                await _accepted(desk, delivery.announced.parcel(array))
        except (StepError, NoRoomError) as error:
            return refusal_for(error)
        except Exception as error:  # noqa: BLE001 - one parcel must not end the stream of others
            if isinstance(error, TimeoutError) and patience.expired():
                return _LATE
            traceback.print_exc()
            return refusal_for(error)
        return _OK

    async def _answer(self, ticket: int, refusal: Refusal) -> None:
        async with self._writing:
            with suppress(grpc.aio.BaseError, asyncio.InvalidStateError):  # it has left meanwhile
                await self._context.write(receipt(ticket, *refusal))

    def _culprit(self, announced: Announced) -> tuple[str, int, int]:
        return (self._bearer or announced.source, announced.job, announced.step)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _accepted(desk: Desk, parcel: Parcel) -> None:
    try:
        await desk.accept(parcel, time.monotonic_ns())
    except StepError as error:
        raise UnwantedError(str(error)) from error
