"""Answers to requests, brought part by part from where they were asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from real_runner.control.messages import control
from real_runner.errors import RealRunError
from real_runner.fleet.fleet import Fleet
from real_runner.wire.payloads import payload_message, payload_of
from workloads.stage import Payload, Request, Stage

Answered = Callable[[Request, bytes], None]
"""Takes the answer to a finished request."""

Previewed = Callable[[Request, Payload, bytes], None]
"""Takes what a request's answer looks like so far."""

Written = Callable[[Request, int, tuple[int, ...]], None]
"""Takes tokens of an answer as they come; the first of them has this place in it."""

Computed = Callable[[Request, Stage], None]
"""Takes each stage of a request when it is done."""

PREVIEW = "preview"
"""The tensor that an answer in the making is."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who wants to hear of answers, and of what becomes of them on the way."""

    answered: Answered | None = None
    previewed: Previewed | None = None
    written: Written | None = None
    computed: Computed | None = None


@dataclass(slots=True)
class _Open:
    request: Request
    parts: list[bytes] = field(default_factory=list)


Key = tuple[int, Payload]


class Answers:
    """Those that are still to come; who does not listen asks for none.

    ``job_base`` is what workers add to a request's number to know it by.
    """

    def __init__(self, fleet: Fleet, job_base: int, listeners: Listeners) -> None:
        self._fleet = fleet
        self._job_base = job_base
        self._listeners = listeners
        self._open: dict[Key, _Open] = {}

    def ask(self, request: Request) -> None:
        """Have the answer brought from the request's origin, where somebody wants it."""
        if self._listeners.answered is not None:
            self._ask(request, request.model.chain[-1].output)

    def show(self, request: Request, payload: Payload) -> None:
        """Have a preview that lies at the origin brought, where somebody wants it."""
        if self._listeners.previewed is not None:
            self._ask(request, payload)

    def awaits(self, request: int) -> bool:
        """Whether anything of a request is still to come."""
        return any(index == request for index, _ in self._open)

    def take(self, message: Any) -> int | None:
        """Take a part; return the number of the request that it completed something of.

        Raises `RealRunError` where there is no answer to be had.
        """
        key = (message.job - self._job_base, payload_of(message.payload))
        coming = self._open.get(key)
        if coming is None:
            return None
        request, payload = coming.request, key[1]
        if message.error:
            raise RealRunError(f"request {request.index} has no answer: {message.error}")
        coming.parts.append(message.content)
        if not message.last:
            return None
        del self._open[key]
        listeners, content = self._listeners, b"".join(coming.parts)
        if payload.tensor == PREVIEW and listeners.previewed is not None:
            listeners.previewed(request, payload, content)
        elif listeners.answered is not None:
            listeners.answered(request, content)
        return request.index

    def drop(self, node: str) -> list[int]:
        """Expect no more from a node that is gone; return the requests that it leaves open."""
        found = [key for key, coming in self._open.items() if coming.request.origin == node]
        for key in found:
            del self._open[key]
        return [index for index, _ in found]

    def _ask(self, request: Request, payload: Payload) -> None:
        self._open[request.index, payload] = _Open(request)
        job = self._job_base + request.index
        ask = control.Ask(job=job, payload=payload_message(payload))
        self._fleet.send(request.origin, ask=ask)
