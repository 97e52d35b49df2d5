"""Answers to finished requests, brought part by part from where they were asked for."""

from collections.abc import Callable
from typing import Any

from real_runner.control.messages import control
from real_runner.errors import RealRunError
from real_runner.fleet.fleet import Fleet
from real_runner.wire.payloads import payload_message
from workloads.stage import Request

Answered = Callable[[Request, bytes], None]
"""Takes the answer to a finished request."""


class Answers:
    """Those that are still to come; ``answered`` takes each, and without it none is asked for.

    ``job_base`` is what workers add to a request's number to know it by.
    """

    def __init__(self, fleet: Fleet, job_base: int, answered: Answered | None) -> None:
        self._fleet = fleet
        self._job_base = job_base
        self._answered = answered
        self._asked: dict[int, Request] = {}
        self._parts: dict[int, list[bytes]] = {}

    def ask(self, request: Request) -> None:
        """Have the answer brought from the request's origin, where somebody wants it."""
        if self._answered is not None:
            self._asked[request.index] = request
            payload = payload_message(request.model.chain[-1].output)
            job = self._job_base + request.index
            self._fleet.send(request.origin, ask=control.Ask(job=job, payload=payload))

    def awaits(self, request: int) -> bool:
        """Whether the answer to a request is still to come."""
        return request in self._asked

    def take(self, message: Any) -> int | None:
        """Take a part of an answer; return the number of the request that has all of it now.

        Raises `RealRunError` where there is no answer to be had.
        """
        request = self._asked.get(message.job - self._job_base)
        if request is None or self._answered is None:
            return None
        if message.error:
            raise RealRunError(f"request {request.index} has no answer: {message.error}")
        parts = self._parts.setdefault(request.index, [])
        parts.append(message.content)
        if not message.last:
            return None
        del self._asked[request.index], self._parts[request.index]
        self._answered(request, b"".join(parts))
        return request.index

    def drop(self, node: str) -> list[int]:
        """Expect no more from a node that is gone; return the requests that it leaves open."""
        found = [index for index, request in self._asked.items() if request.origin == node]
        for index in found:
            del self._asked[index]
            self._parts.pop(index, None)
        return found
