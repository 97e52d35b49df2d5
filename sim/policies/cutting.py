"""Which stages of a graph run here and which there, so that they take least time in all.

The sum of what every stage takes where it runs, and of what has to cross between the two places,
is the capacity of a cut of a graph: so the best of all ways to divide the stages is a minimum cut
(Hu et al. 2019, "DADS", doi 10.1109/INFOCOM.2019.8737614).
"""

from collections.abc import Hashable, Iterable, Mapping
from math import inf
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T", bound=Hashable)

PER_S: Final = 1e12
"""Times are counted in picoseconds: with whole numbers the cut is exact."""


class Flow(NamedTuple):
    """What one stage leaves for others, and the seconds that it takes to get there, or back.

    However many stages at the other place want it, it crosses once.
    """

    source: Hashable
    targets: tuple[Hashable, ...]
    there_s: float
    back_s: float


def divided(
    here_s: Mapping[T, float], there_s: Mapping[T, float], flows: Iterable[Flow]
) -> tuple[float, frozenset[T]]:
    """Return the least seconds in all, and the stages that run there.

    Both mappings have every stage; what must not run at a place takes infinitely long there.
    Raises `ValueError` where there is a stage that may run at neither.

    >>> seconds, there = divided(
    ...     {"a": 1.0, "b": 9.0}, {"a": 1.0, "b": 2.0}, [Flow("a", ("b",), 3.0, 3.0)]
    ... )
    >>> seconds, sorted(there)
    (3.0, ['a', 'b'])
    """
    import networkx  # noqa: PLC0415 - slow to import, and few need it

    graph: networkx.DiGraph[object] = networkx.DiGraph()
    here, there = object(), object()

    def costs(source: object, target: object, seconds: float) -> None:
        """Have an edge cut, for so many seconds, where its source is here and its target there."""
        capacity = {} if seconds == inf else {"capacity": round(seconds * PER_S)}
        graph.add_edge(source, target, **capacity)

    for stage in here_s:
        costs(here, stage, there_s[stage])
        costs(stage, there, here_s[stage])
    for flow in flows:
        gone, come = object(), object()
        costs(flow.source, gone, flow.there_s)
        costs(come, flow.source, flow.back_s)
        for target in flow.targets:
            costs(gone, target, inf)
            costs(target, come, inf)
    try:
        least, (_, moved) = networkx.minimum_cut(graph, here, there)
    except networkx.NetworkXUnbounded as error:
        raise ValueError("stages: one may run neither here nor there") from error
    return least / PER_S, frozenset(stage for stage in here_s if stage in moved)
