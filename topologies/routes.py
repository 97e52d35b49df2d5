"""Shortest paths by propagation delay, the same on every machine and in every run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Route:
    """A path as channel indices, with its one-way delay and its bottleneck rate.

    The route from a node to itself is empty, takes no time and has an infinite rate.
    """

    channels: tuple[int, ...]
    delay_s: float
    rate_bits_per_s: float


class Arc(Protocol):
    """What routing needs of a channel."""

    @property
    def index(self) -> int:
        """Its number."""

    @property
    def source(self) -> str:
        """Where it begins."""

    @property
    def target(self) -> str:
        """Where it ends."""

    @property
    def rate_bits_per_s(self) -> float:
        """Its capacity."""

    @property
    def delay_s(self) -> float:
        """Its one-way propagation delay."""


def shortest_routes(arcs: Sequence[Arc], source: str) -> Mapping[str, Route]:
    """Return the best route to every node that can be reached, by Dijkstra's algorithm.

    Best is least delay, then fewest channels, then lowest channel indices in order. `arcs` stand
    at their own index.
    """
    leaving: dict[str, list[Arc]] = {}
    for arc in arcs:
        leaving.setdefault(arc.source, []).append(arc)
    found: dict[str, Route] = {}
    frontier: list[tuple[float, int, tuple[int, ...], str]] = [(0.0, 0, (), source)]
    while frontier:
        delay_s, hops, path, node = heappop(frontier)
        if node in found:
            continue
        rate = min((arcs[index].rate_bits_per_s for index in path), default=math.inf)
        found[node] = Route(path, delay_s, rate)
        for arc in leaving.get(node, ()):
            if arc.target not in found:
                step = (delay_s + arc.delay_s, hops + 1, (*path, arc.index), arc.target)
                heappush(frontier, step)
    return found
