"""Who is in service: the disciplines of a `sim.engine.servers.pool.Pool`, as data."""

from typing import Final, NamedTuple


class Discipline(NamedTuple):
    """Whether all are served at once, by priority, and whether a higher one interrupts."""

    shares: bool = False
    ranks: bool = False
    preempts: bool = False


DISCIPLINES: Final = {
    "fifo": Discipline(),
    "processor-sharing": Discipline(shares=True),
    "priority": Discipline(ranks=True),
    "preemptive-priority": Discipline(ranks=True, preempts=True),
}
