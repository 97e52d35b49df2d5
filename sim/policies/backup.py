"""Help for shards that are late: somebody else has them, too, and the first answer counts.

Copies that go out at once cost work and traffic always; help that is sent for after a while costs
them seldom (Dean and Barroso 2013, "The Tail at Scale", doi 10.1145/2408776.2408794: hedged
requests). Where the first k of n answers are enough to go by, what is missing then is begun once
more. A cloud that helps is shown what it helps with; an edge that helps shows nobody anything, but
may be slow.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf
from typing import Literal, NamedTuple

from sim.errors import PolicyError
from sim.policies.making import Making, Sent, Steps
from sim.policies.task import NO_LIMITS, Leg, Limits
from workloads.stage import Shard


class Backup(NamedTuple):
    """When help is sent for, and whose.

    ``copies`` of each shard go out at once, each to a cloud of its own. What is not back when a
    round has taken ``hedge`` times as long as predicted (0: however long), or once ``enough``
    answers are (0: never), is begun once more ``by`` another cloud, or the edge itself. Help comes
    from ``clouds``.
    """

    copies: int = 1
    hedge: float = 0.0
    enough: int = 0
    by: Literal["cloud", "edge"] = "cloud"
    clouds: tuple[str, ...] = ()

    @property
    def is_late(self) -> bool:
        """Whether help is sent for later."""
        return bool(self.hedge or self.enough)


NO_BACKUP = Backup()


def require_backup(backup: Backup, limits: Limits, *, stateful: bool) -> None:
    """Raise `PolicyError` for help that is none, or that nobody may give."""
    if backup.copies < 1:
        raise PolicyError(f"copies: {backup.copies}; give at least 1, for the shard itself")
    if not 0 <= backup.hedge < inf:
        raise PolicyError(f"hedge: {backup.hedge!r}; give how many times the predicted seconds")
    if backup.enough < 0:
        raise PolicyError(f"enough: {backup.enough} is negative; give 0 to wait for every answer")
    if backup.by == "edge" and not backup.is_late:
        raise PolicyError("backup: nobody is asked for help; give hedge or enough, too")
    if backup == NO_BACKUP:
        return
    if stateful:
        raise PolicyError(
            "copies, hedge, enough: in this mode a cloud keeps what no other has; use another mode"
        )
    if limits != NO_LIMITS and (backup.copies > 1 or backup.by == "cloud"):
        raise PolicyError(
            "copies, hedge, enough: a cloud that helps is shown more than it may see; give "
            "backup=edge and no copies, or no limits"
        )


def backed(
    making: Making, backup: Backup, pieces: Sent, answers: Sequence[Steps], ready: Steps
) -> list[Steps]:
    """Append help for each of the pieces; return what to wait for in the place of each answer."""
    builder, edge = making.builder, making.edge
    helpers = _Helpers(making, backup.clouds, pieces)
    every = list(answers)
    for _ in range(backup.copies - 1):
        for place, node in enumerate(helpers.of_each()):
            every[place] += _helped(making, node, pieces[place][1], ready)
    begun = tuple(_moments(making, backup, pieces, every, ready))
    if begun:
        begun = builder.wait(edge, begun, need=1)
        nodes = [edge] * len(pieces) if backup.by == "edge" else helpers.of_each()
        for place, node in enumerate(nodes):
            every[place] += _helped(making, node, pieces[place][1], begun)
    return [builder.wait(edge, each, need=1) for each in every]


def _helped(making: Making, node: str, shard: Shard, after: Steps) -> Steps:
    """Append what a helper does; nothing where there is none."""
    return making.rest(node, shard, making.upload(node, shard, after)) if node else ()


def _moments(
    making: Making, backup: Backup, pieces: Sent, answers: Sequence[Steps], ready: Steps
) -> Iterator[int]:
    """Append and yield the waits of which the first to end sends for help."""
    builder, edge = making.builder, making.edge
    if backup.hedge:
        delay_s = backup.hedge * round_s(making, pieces)
        yield from builder.wait(edge, ready, delay_s=delay_s)
    if 0 < backup.enough < len(pieces):
        first = tuple(step for each in answers for step in builder.wait(edge, each, need=1))
        yield from builder.wait(edge, first, need=backup.enough)


def round_s(making: Making, pieces: Sent) -> float:
    """Predict how long a round takes from its first upload to its last answer, if nobody is late.

    Ways that shards share are taken to be shared fairly, so that all uploads end together, and so
    do all downloads.
    """
    trips = [making.trip(node, shard) for node, shard in pieces]
    return (
        _together_s([trip.up for trip in trips])
        + max((trip.compute_s for trip in trips), default=0.0)
        + _together_s([trip.down for trip in trips])
    )


def _together_s(legs: Sequence[Leg]) -> float:
    occupied_s = defaultdict[int, float](float)
    for leg in legs:
        for channel, rate in leg.channels:
            occupied_s[channel] += leg.size_bytes * 8 / rate if rate else inf
    return max((leg.delay_s for leg in legs), default=0.0) + max(occupied_s.values(), default=0.0)


class _Helpers:
    """Who helps with which piece: whoever is predicted to be done first with all that it has."""

    def __init__(self, making: Making, clouds: Sequence[str], pieces: Sent) -> None:
        self._making, self._pieces = making, pieces
        self._having: dict[str, Shard] = dict.fromkeys(clouds, ())
        self._asked = [{node} for node, _ in pieces]
        for node, shard in pieces:
            self._having[node] = (*self._having.get(node, ()), *shard)

    def of_each(self) -> list[str]:
        """Return a cloud for each piece that it has not gone to yet; empty where there is none."""
        return [self._take(place) for place in range(len(self._pieces))]

    def _take(self, place: int) -> str:
        asked, shard = self._asked[place], self._pieces[place][1]
        grown = {
            node: tuple(sorted({*had, *shard}))
            for node, had in self._having.items()
            if node not in asked
        }
        if not grown:
            return ""
        chosen = min(grown, key=lambda node: self._making.task.cost_s(node, grown[node]))
        self._having[chosen] = grown[chosen]
        asked.add(chosen)
        return chosen
