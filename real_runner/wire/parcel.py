"""What travels between workers: one tensor, and which step of which request it belongs to."""

from dataclasses import dataclass

from real_runner.executor import Array
from workloads.stage import Payload

VERSION = 2
"""Of the protocol; both ends must have the same."""

SERVICE = "tessera.Post"
METHOD = f"/{SERVICE}/Carry"


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """A payload under way from ``source`` to ``target`` for one step of a plan.

    ``array`` is what `real_runner.executor` says of ``payload``. ``codec`` writes it for the wire
    unless it is bytes. ``queued_ns`` and ``start_ns`` are when the step could have begun and when
    the source took it up, by the source's CLOCK_MONOTONIC. ``trace`` is a W3C traceparent, or
    empty. ``size_bytes`` is what travelled, without the header; the receiver fills it in.
    """

    run: str
    job: int
    attempt: int
    step: int
    source: str
    target: str
    payload: Payload
    codec: str
    queued_ns: int
    start_ns: int
    array: Array
    trace: str = ""
    size_bytes: int = 0
