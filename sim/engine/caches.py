"""Keys and values that texts leave on a node between their rounds, as many as there is room for.

Where a node bounds them, the texts not worked on for longest lose theirs to one that needs the room
(least recently used first, as servers of language models do: Kwon et al., SOSP 2023, doi
10.1145/3600006.3613165, preempt and recompute). A round that finds its text's caches gone is lost,
and its policy sends what they were made of once more.
"""

from collections import OrderedDict
from typing import final

from topologies.topology import Topology
from workloads.stage import Stage

_Part = tuple[int, str, tuple[int, ...]]
"""Whose caches: the request, the kind of its stage, and the layers."""


@final
class Caches:
    """What lies on each node whose caches are bounded; others keep whatever they are given."""

    def __init__(self, topology: Topology) -> None:
        self._limits_bytes = {
            node.name: node.serving.memory.caches_bytes
            for node in topology.nodes
            if node.serving.memory is not None and node.serving.memory.caches_bytes is not None
        }
        self._kept: dict[str, OrderedDict[_Part, float]] = {
            name: OrderedDict() for name in self._limits_bytes
        }

    @property
    def bounded(self) -> bool:
        """Whether any node bounds them."""
        return bool(self._limits_bytes)

    def held_bytes(self, node: str) -> float:
        """Return what lies on a node that bounds its caches."""
        return sum(self._kept[node].values(), 0.0)

    def take(self, node: str, request: int, stages: tuple[Stage, ...]) -> str:
        """Make room for what ``stages`` leave; return why they cannot run, or nothing."""
        if node not in self._kept:
            return ""
        kept, limit_bytes = self._kept[node], self._limits_bytes[node]
        for stage in stages:
            if not stage.cache_bytes:
                continue
            part = (request, stage.kind, stage.blocks)
            if stage.positions[0] and part not in kept:
                return f"caches of request {request} gave way to others"
            if stage.cache_bytes > limit_bytes:
                return f"caches of {stage.cache_bytes:.3g} bytes; there is room for {limit_bytes:g}"
            kept[part] = stage.cache_bytes
            kept.move_to_end(part)
        while self.held_bytes(node) > limit_bytes:
            kept.popitem(last=False)
        return ""

    def forget(self, request: int) -> None:
        """Free what a request that has ended has left."""
        for kept in self._kept.values():
            for part in [part for part in kept if part[0] == request]:
                del kept[part]

    def clear(self, node: str) -> None:
        """Forget everything on a node, as a crash does."""
        if node in self._kept:
            self._kept[node].clear()
