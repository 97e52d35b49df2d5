"""Shortest paths by propagation delay, the same on every machine and in every run."""

import math
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple, Protocol


class Route(NamedTuple):
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


class Router:
    """Best routes between all nodes that `arcs` connect; arcs stand at their own index.

    Best is least delay, then fewest channels, then lowest channel indices in order, by Dijkstra's
    algorithm, once for each source that is asked for. Nodes with one neighbour are on the way to
    nowhere, so that a city's many edges cost next to nothing: their routes are their neighbour's
    and one channel more.
    """

    def __init__(self, arcs: Sequence[Arc]) -> None:
        self._arcs = arcs
        leaving: dict[str, list[Arc]] = {}
        entering: dict[str, list[Arc]] = {}
        for arc in arcs:
            leaving.setdefault(arc.source, []).append(arc)
            entering.setdefault(arc.target, []).append(arc)
        self._entry = {
            node: found[0]
            for node, found in entering.items()
            if len(found) == 1 and all(arc.target == found[0].source for arc in leaving[node])
        }
        self._leaving = {
            node: [arc for arc in found if arc.target not in self._entry]
            for node, found in leaving.items()
        }
        self._found: dict[str, dict[str, Route]] = {}

    def route(self, source: str, target: str) -> Route | None:
        """Return the best route, or None where there is none."""
        found = self._found.get(source)
        if found is None:
            found = self._found[source] = self._explore(source)
        route = found.get(target)
        if route is not None or target not in self._entry:
            return route
        last = self._entry[target]
        before = found.get(last.source)
        if before is None:
            return None
        path, delay_s, rate = before
        return Route((*path, last.index), delay_s + last.delay_s, min(rate, last.rate_bits_per_s))

    def _explore(self, source: str) -> dict[str, Route]:
        """Return the routes to all nodes with several neighbours, and to the source itself."""
        found: dict[str, Route] = {}
        frontier: list[tuple[float, int, tuple[int, ...], str]] = [(0.0, 0, (), source)]
        while frontier:
            delay_s, hops, path, node = heappop(frontier)
            if node in found:
                continue
            rate = min((self._arcs[index].rate_bits_per_s for index in path), default=math.inf)
            found[node] = Route(path, delay_s, rate)
            for arc in self._leaving.get(node, ()):
                if arc.target not in found:
                    step = (delay_s + arc.delay_s, hops + 1, (*path, arc.index), arc.target)
                    heappush(frontier, step)
        return found
