"""In which order, and how many at a time, shards go to their clouds; and who has them besides."""

from collections import deque
from typing import NamedTuple

from sim.policies.backup import NO_BACKUP, Backup, backed
from sim.policies.making import Making, Sent, Steps
from sim.policies.task import Task
from workloads.stage import Shard


class Sending(NamedTuple):
    """So many ``lanes``, so many windows in a ``piece`` (0: all), and what help there is."""

    lanes: int = 0
    piece: int = 0
    backup: Backup = NO_BACKUP


def round_trip(making: Making, sent: Sent, how: Sending, ready: Steps) -> Steps:
    """Append one round, from the first upload to the edge's work when all are back.

    In a lane an upload begins when the one before it has arrived.
    """
    pieces = _in_turn(making.task, sent, how)
    lanes = deque([ready] * (how.lanes or len(pieces)))
    answers = []
    for node, shard in pieces:
        there = making.upload(node, shard, lanes.popleft())
        lanes.append(there)
        answers.append(making.rest(node, shard, there))
    if how.backup != NO_BACKUP:
        answers = backed(making, how.backup, pieces, answers, ready)
    return making.merge(tuple(step for each in answers for step in each) or ready)


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
