"""In which order, and how many at a time, shards go to their clouds."""

from collections import deque
from typing import NamedTuple

from sim.plan import PlanBuilder
from sim.policies.task import Task
from workloads.stage import Round, Shard

Sent = tuple[tuple[str, Shard], ...]
"""Nodes, and what each is sent."""


class Sending(NamedTuple):
    """From where, written with what, and so many ``lanes`` and windows in a ``piece`` (0: all)."""

    edge: str
    codec: str
    lanes: int = 0
    piece: int = 0


def round_trip(
    builder: PlanBuilder, part: Round, task: Task, sent: Sent, how: Sending, ready: tuple[int, ...]
) -> tuple[int, ...]:
    """Append one round, from the first upload to the edge's work when all are back.

    In a lane an upload begins when the one before it has arrived.
    """
    pieces = _in_turn(task, sent, how)
    lanes = deque([ready] * (how.lanes or len(pieces)))
    back: list[int] = []
    for node, shard in pieces:
        there = builder.transfer(how.edge, node, part.up(shard), how.codec, lanes.popleft())
        lanes.append(there)
        done = builder.compute(node, (part.compute(shard),), there)
        back.extend(builder.transfer(node, how.edge, part.down(shard), how.codec, done))
    return builder.compute(how.edge, part.edge, tuple(back) or ready)


def _in_turn(task: Task, sent: Sent, how: Sending) -> Sent:
    """Return the pieces of shards in the order in which they are to go.

    In lanes those with most ahead go first: what lies between the end of an upload and the end of
    the round is the longer, the sooner it has to begin (Jackson 1955: the least lateness on one
    machine is that of the tails' order).
    """
    pieces = [
        (node, shard[first : first + (how.piece or len(shard))], shard[first:])
        for node, shard in sent
        for first in range(0, len(shard), how.piece or len(shard) or 1)
    ]
    if how.lanes:
        pieces.sort(key=lambda each: -_ahead_s(task, each[0], each[2]))
    return tuple((node, piece) for node, piece, _ in pieces)


def _ahead_s(task: Task, node: str, left: Shard) -> float:
    """Return what is still to be done on a node once a piece of what is left has come there."""
    trips = task.rounds_of(node, left)
    return sum(trip.up.delay_s + trip.compute_s + trip.down.seconds for trip in trips)
