"""Parcels as they come in: each is checked against who sent it and what it announced.

Nothing of a message is believed before it is checked, no memory is set aside that was not
promised by `Room`, and whatever is refused leaves one line of reason with the sender and here.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

import grpc

from real_runner.errors import StepError
from real_runner.wire.headers import Announced, read_header
from real_runner.wire.intake import UNKNOWN, Intake
from real_runner.wire.limits import Limits
from real_runner.wire.parcel import SERVICE, Parcel
from real_runner.wire.refusals import ImpostorError
from real_runner.wire.room import Room
from real_runner.wire.server import is_secure, peer_name

Accept = Callable[[Parcel, int], Awaitable[None]]
"""Takes a parcel and when it was there, decoded (this node's CLOCK_MONOTONIC, nanoseconds);
raises `StepError` where it is of no use."""

Refused = Callable[[str, int, int, str], None]
"""Is told of a parcel that is no good, and not of one that there is no room or time for: source,
job, step, reason. The source is the one that the certificate names, where there is one; job and
step are `UNKNOWN` where no header could be read."""


class Post:
    """Serves ``/tessera.Post/Carry`` for one node of one run at a time, once it is `open`."""

    def __init__(self, limits: Limits) -> None:
        self.room = Room(limits)
        self._limits = limits
        self._desk: _Desk | None = None
        self._known: Collection[str] = ()

    def open(
        self, run: str, node: str, accept: Accept, refused: Refused, dilation: float = 1.0
    ) -> None:
        """Take in what is meant for ``node`` in ``run``, which lasts ``dilation`` times as long."""
        limits = self._limits.dilated(dilation)
        self._desk = _Desk(run, node, accept, refused, lambda: self._known, limits)

    def know(self, nodes: Collection[str]) -> None:
        """Take in what comes from these nodes, and no other; the collection may change later."""
        self._known = nodes

    def close(self) -> None:
        """Take nothing more in; what is under way comes to its end."""
        self._desk, self._known = None, ()

    def handler(self) -> Any:
        """Return what a server is to be given."""
        method = grpc.stream_stream_rpc_method_handler(self._carry)
        return grpc.method_handlers_generic_handler(SERVICE, {"Carry": method})

    async def _carry(self, _: object, context: Any) -> None:
        bearer = peer_name(context) if is_secure(context) else None
        intake = Intake(context, bearer, lambda: self._desk, self.room, self._limits)
        try:
            reason = await intake.take_all()
        finally:
            intake.close()
        if reason is not None:
            # Not where the error was caught: gRPC keeps what it raises until a garbage collection,
            # and with it would keep all that led there, tensors included.
            if self._desk is not None:
                self._desk.refused(bearer or "", UNKNOWN, UNKNOWN, reason)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Whom parcels are for, and from whom they may come; see `real_runner.wire.intake.Desk`."""

    run: str
    node: str
    accept: Accept
    refused: Refused
    known: Callable[[], Collection[str]]
    limits: Limits

    def read(self, header: bytes) -> Announced:
        return read_header(header, self.limits)

    def check(self, announced: Announced, bearer: str | None) -> None:
        """Refuse a parcel of another run, for another node, or from who is not its source."""
        if announced.run != self.run:
            raise StepError(f"header: run {announced.run!r}; this node is in run {self.run!r}")
        if announced.target != self.node:
            raise StepError(f"header: target {announced.target!r}; this is {self.node!r}")
        if bearer is not None and bearer != announced.source:
            raise ImpostorError(
                f"header: source {announced.source!r}, but the certificate is that of {bearer!r}"
            )
        if announced.source not in self.known():
            raise ImpostorError(f"header: source {announced.source!r} is no node of this run")
