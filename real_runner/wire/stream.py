"""One long-lived stream to a peer: parcels go out in chunks that take turns, receipts come in.

Opening a call for each parcel took a third of a millisecond; a parcel on a stream that is open
costs a message. Whatever breaks the stream fails every parcel that is under way on it.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any

import grpc

from real_runner.errors import StepError
from real_runner.wire.frames import frames, read_receipt, stop

_Code = grpc.StatusCode
_ENDED = "the receiver ended the stream"


class UndoneError(Exception):
    """One try came to nothing, for the reason that gRPC or the receiver gave."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = " ".join(details.split()) or code.name


class Stream:
    """A stream that is open, or was: then ``broken`` says why it is not any more."""

    def __init__(self, call: Any, chunk_bytes: int) -> None:
        self.broken: UndoneError | None = None
        self._call = call
        self._chunk_bytes = chunk_bytes
        self._tickets = itertools.count(1)
        self._awaited: dict[int, asyncio.Future[UndoneError | None]] = {}
        self._queue: deque[_Outgoing] = deque()
        self._filled = asyncio.Event()
        self._ending = _Ending()
        call.add_done_callback(self._ending)
        self._writing = asyncio.create_task(self._write())
        self._reading = asyncio.create_task(self._read())

    async def carry(self, header: bytes, content: memoryview, end_s: float) -> None:
        """Return once the receiver has accepted a parcel.

        ``end_s`` is a time of ``time.monotonic``. Raises `UndoneError` where the receiver refuses,
        time is up or the stream breaks. A parcel given up is taken back from the receiver, too.
        """
        if self.broken is not None:
            raise UndoneError(self.broken.code, self.broken.details)
        ticket = next(self._tickets)
        answered: asyncio.Future[UndoneError | None] = asyncio.get_running_loop().create_future()
        self._awaited[ticket] = answered
        left_s = end_s - time.monotonic()
        outgoing = _Outgoing(frames(ticket, left_s, header, content, self._chunk_bytes))
        self._put(outgoing)
        try:
            async with asyncio.timeout(left_s):
                error = await answered
        except TimeoutError:
            raise UndoneError(_Code.DEADLINE_EXCEEDED, "its time was up on the way") from None
        finally:
            self._awaited.pop(ticket, None)
            if not answered.done() or answered.cancelled() or answered.result() is not None:
                self._take_back(ticket, outgoing)
        if error is not None:
            raise UndoneError(error.code, error.details)

    async def close(self) -> None:
        """End the stream; parcels under way are lost."""
        self._call.cancel()
        await asyncio.wait([self._reading, self._writing])

    def _put(self, outgoing: "_Outgoing") -> None:
        self._queue.append(outgoing)
        self._filled.set()

    def _take_back(self, ticket: int, outgoing: "_Outgoing") -> None:
        outgoing.messages = iter(())
        if outgoing.has_begun:
            self._put(_Outgoing(iter((stop(ticket),))))

    async def _write(self) -> None:
        """Write a message of each parcel in turn; why writing fails, reading will tell."""
        try:
            with suppress(asyncio.InvalidStateError, asyncio.CancelledError, grpc.aio.AioRpcError):
                while True:
                    await self._write_all()
                    self._filled.clear()
                    await self._filled.wait()
        except Exception:
            self._call.cancel()  # else whoever is under way would wait for its time to be up
            raise

    async def _write_all(self) -> None:
        while self._queue:
            outgoing = self._queue.popleft()
            if (message := outgoing.next()) is not None:
                await self._call.write(message)
                self._queue.append(outgoing)

    async def _read(self) -> None:
        """Hand receipts on until there are no more, then fail whatever still waits for one."""
        error = UndoneError(_Code.UNAVAILABLE, _ENDED)
        try:
            while (message := await self._call.read()) is not grpc.aio.EOF:
                self._settle(message)
        except grpc.aio.AioRpcError as caught:
            error = self._ending.error or UndoneError(_Code.UNAVAILABLE, caught.details() or "")
        except StepError as caught:
            error = UndoneError(_Code.INVALID_ARGUMENT, str(caught))
        except asyncio.CancelledError:
            error = UndoneError(_Code.CANCELLED, "the connection was closed")
        finally:
            self.broken = error
            self._writing.cancel()
            self._call.cancel()
            for answered in self._awaited.values():
                _settle(answered, error)
            self._awaited.clear()

    def _settle(self, message: bytes) -> None:
        ticket, code, reason = read_receipt(message)
        answered = self._awaited.pop(ticket, None)
        if answered is not None:  # else it was taken back meanwhile
            _settle(answered, None if code is _Code.OK else UndoneError(code, reason))


class _Outgoing:
    """What is still to be written of one parcel."""

    def __init__(self, messages: Iterator[bytes]) -> None:
        self.messages = messages
        self.has_begun = False

    def next(self) -> bytes | None:
        message = next(self.messages, None)
        self.has_begun = self.has_begun or message is not None
        return message


class _Ending:
    """Notes how a call ended, before a write that fails for it can have it forgotten.

    A write that fails because the receiver has ended the call overwrites the call's status with
    INTERNAL (https://github.com/grpc/grpc/issues/36066); what was there before is the reason. Where
    nothing was, all that is known is that the stream has broken.
    """

    def __init__(self) -> None:
        self.error: UndoneError | None = None

    def __call__(self, call: Any) -> None:
        code, details = _at_once(call.code()), _at_once(call.details())
        if code is _Code.OK:
            code, details = _Code.UNAVAILABLE, _ENDED
        if code is not _Code.INTERNAL:
            self.error = self.error or UndoneError(code, details or "")


def _at_once(known: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that has nothing to wait for."""
    try:
        known.send(None)
    except StopIteration as done:
        return done.value
    known.close()
    return None


def _settle(answered: "asyncio.Future[UndoneError | None]", error: UndoneError | None) -> None:
    if not answered.done():
        answered.set_result(error)
