"""The world as a value: nodes, links, and the routes that follow from them.

A topology describes; it neither simulates nor emulates. Every link becomes two channels, one per
direction, each with a capacity of its own, or both with one where the link is half duplex; what
occupies a network is channels.
Any node forwards traffic, compute nodes too (a phone behind a wearable, an edge before its
clouds): where that is not wanted, the links say so by not being there. Delays are one-way.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from topologies.carbon import ELSEWHERE, CarbonIntensity
from topologies.errors import TopologyError, suggestion
from topologies.frozen import FrozenMap
from topologies.links import Carriage, Channel, Congestion, Duplex, Link
from topologies.nodes import Billing, Node, Role, trusted_by_default
from topologies.routes import Route, Router

if TYPE_CHECKING:
    import networkx

__all__ = [
    "Billing", "Carriage", "Channel", "Congestion", "Duplex", "Link", "Node",
    "Role", "Topology", "trusted_by_default",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topology:
    """Nodes and links that fit together, comparable and hashable by value.

    `channels[2 * i]` is link i forwards, `channels[2 * i + 1]` is it backwards. `carbon` gives
    the intensity of the grid by node, by region, or for what is `ELSEWHERE`; without it emissions
    are unknown.

    Raises TopologyError: names used twice, unknown ends, links given twice, unreachable nodes,
    nothing that computes, or carbon for some of what draws power but not for all.
    """

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    description: str = ""
    carbon: Mapping[str, CarbonIntensity] = field(default_factory=dict)
    channels: tuple[Channel, ...] = field(init=False, compare=False, repr=False)
    _by_name: Mapping[str, Node] = field(init=False, compare=False, repr=False)
    # Finds routes on demand: what is derived takes no part in the value.
    _router: Router = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "links", tuple(self.links))
        object.__setattr__(self, "carbon", FrozenMap(self.carbon))
        _check_nodes(self)
        _check_links(self)
        channels = (c for i, link in enumerate(self.links) for c in link.channels(i))
        object.__setattr__(self, "channels", tuple(channels))
        object.__setattr__(self, "_by_name", {node.name: node for node in self.nodes})
        object.__setattr__(self, "_router", Router(self.channels))
        first = self.nodes[0].name
        lost = [node.name for node in self.nodes if self._router.route(first, node.name) is None]
        if lost:
            raise TopologyError(
                f"topology {self.name!r}: no path from {self.nodes[0].name!r} to "
                f"{', '.join(map(repr, lost))}; add links or remove them"
            )
        _check_carbon(self)

    def node(self, name: str) -> Node:
        """Return the node of this name.

        Raises TopologyError: there is none; names the nearest.
        """
        if name not in self._by_name:
            remedy = suggestion(name, self._by_name)
            raise TopologyError(f"topology {self.name!r} has no node {name!r}; {remedy}")
        return self._by_name[name]

    @property
    def clouds(self) -> tuple[Node, ...]:
        """The nodes in the role of a cloud."""
        return tuple(node for node in self.nodes if node.role == "cloud")

    @property
    def trusted(self) -> tuple[Node, ...]:
        """The trusted nodes that compute."""
        return tuple(node for node in self.nodes if node.trusted and node.device is not None)

    def route(self, source: str, target: str) -> Route:
        """Return the path of least propagation delay, then of fewest, then of first channels.

        Raises TopologyError: a node that is not there.
        """
        route = self._router.route(source, target)
        if route is None or not route.channels:  # else both are there
            self.node(source), self.node(target)
        return cast("Route", route)

    def carbon_of(self, name: str) -> CarbonIntensity | None:
        """Return the intensity of the grid that feeds a node: its own, its region's, the rest's.

        Raises TopologyError: a node that is not there.
        """
        keys = (name, self.node(name).region, ELSEWHERE)
        return next((self.carbon[key] for key in keys if key in self.carbon), None)

    def graph(self) -> "networkx.Graph[str]":
        """Return the networkx graph; nodes and edges carry their fields as attributes.

        An edge of this undirected graph keeps its link's direction in `source` and `target`.
        """
        import networkx  # noqa: PLC0415 - slow to import, and few need it

        graph: networkx.Graph[str] = networkx.Graph(name=self.name)
        for node in self.nodes:
            graph.add_node(node.name, **_fields(node))
        for link in self.links:
            graph.add_edge(link.source, link.target, **_fields(link))
        return graph


def _fields(value: Node | Link) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _check_nodes(topology: Topology) -> None:
    place = f"topology {topology.name!r}"
    counts = Counter(node.name for node in topology.nodes)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise TopologyError(f"{place}: node {twice[0]!r} is given twice; rename one")
    if not any(node.device for node in topology.nodes):
        raise TopologyError(f"{place}: no node has a device; give at least one a device")
    for node in topology.nodes:
        source = node.serving.cold_start.source if node.serving.cold_start else ""
        if source and (source not in counts or source == node.name):
            remedy = suggestion(source, set(counts) - {node.name})
            raise TopologyError(
                f"{place}: node {node.name!r}: serving: cold_start.source {source!r} is no other "
                f"node; {remedy}"
            )


def _check_links(topology: Topology) -> None:
    names = {node.name for node in topology.nodes}
    ends: set[frozenset[str]] = set()
    for number, link in enumerate(topology.links):
        place = f"topology {topology.name!r}: links.{number} ({link.name})"
        for end in (link.source, link.target):
            if end not in names:
                raise TopologyError(f"{place}: unknown node {end!r}; {suggestion(end, names)}")
        pair = frozenset((link.source, link.target))
        if pair in ends:
            raise TopologyError(f"{place}: these nodes are linked already; merge the two links")
        ends.add(pair)


def _check_carbon(topology: Topology) -> None:
    place = f"topology {topology.name!r}: carbon"
    known = {ELSEWHERE, *(name for node in topology.nodes for name in (node.name, node.region))}
    for key in topology.carbon:
        if not key or key not in known:
            remedy = suggestion(key, known - {""})
            raise TopologyError(f"{place}: no node or region {key!r}; {remedy}")
    sends = {channel.source for channel in topology.channels if channel.energy_j_per_bit}
    for node in topology.nodes if topology.carbon else ():
        if (node.device or node.name in sends) and topology.carbon_of(node.name) is None:
            raise TopologyError(
                f"{place}: no intensity for node {node.name!r}; add one for its region, "
                f"or for {ELSEWHERE!r}"
            )
