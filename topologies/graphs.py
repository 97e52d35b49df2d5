"""Topologies from graphs that know neither capacities nor machines: by explicit rule only.

Public graphs (Topology Zoo, SNDlib, CAIDA) say which places are linked and how far apart. What a
link carries and where machines stand is the user's to say; nothing here guesses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topologies.device import Device
from topologies.errors import TopologyError, suggestion
from topologies.propagation import fibre_delay_s
from topologies.topology import Link, Node, Topology

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class CapacityRule:
    """What the links of a graph carry, and how long they take.

    The rate is one for all links, or an edge attribute times `bits_per_s_per_unit`. The one-way
    delay is one for all links, or fibre as long as an edge attribute times `metres_per_unit`.

    Raises TopologyError: not exactly one rule for the rate and one for the delay.
    """

    rate_bits_per_s: float | None = None
    rate_attribute: str | None = None
    bits_per_s_per_unit: float = 1.0
    delay_s: float | None = None
    distance_attribute: str | None = None
    metres_per_unit: float = 1000.0

    def __post_init__(self) -> None:
        for fixed, attribute in (
            ("rate_bits_per_s", "rate_attribute"),
            ("delay_s", "distance_attribute"),
        ):
            if (getattr(self, fixed) is None) == (getattr(self, attribute) is None):
                raise TopologyError(f"CapacityRule: give either {fixed} or {attribute}")

    def link(self, source: str, target: str, attributes: Mapping[str, object]) -> Link:
        """Return the link that this rule makes of an edge.

        Raises TopologyError: the edge lacks the attribute, or it is no number.
        """
        place = f"edge {source}--{target}"
        rate, delay = self.rate_bits_per_s, self.delay_s
        if self.rate_attribute is not None:
            rate = _number(attributes, self.rate_attribute, place) * self.bits_per_s_per_unit
        if self.distance_attribute is not None:
            distance = _number(attributes, self.distance_attribute, place)
            delay = fibre_delay_s(distance * self.metres_per_unit)
        if rate is None or delay is None:
            raise TopologyError(f"{place}: no rule for its rate or delay; give one")
        return Link(source, target, rate, delay)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where machines stand: devices per node name. Every other node is a router.

    `name_attribute` is the node attribute that names nodes, where their identifiers do not.
    """

    edges: Mapping[str, Device]
    clouds: Mapping[str, Device] = field(default_factory=dict)
    name_attribute: str | None = None

    def node(self, name: str) -> Node:
        """Return the node that stands at the place of this name."""
        if name in self.edges:
            return Node(name, "edge", self.edges[name])
        if name in self.clouds:
            return Node(name, "cloud", self.clouds[name])
        return Node(name, "router")


def from_graph(
    graph: "networkx.Graph[Any]", name: str, capacity: CapacityRule, placement: Placement
) -> Topology:
    """Return the topology that the two rules make of an undirected graph.

    Raises TopologyError: a directed graph, a rule that names what the graph lacks, or no valid
    topology, for example parallel edges.
    """
    if graph.is_directed():
        raise TopologyError(f"graph {name!r} is directed; links go both ways: make it undirected")
    names = {key: _name(key, data, placement) for key, data in graph.nodes(data=True)}
    places = list(names.values())
    for placed in (*placement.edges, *placement.clouds):
        if placed not in places:
            remedy = suggestion(placed, places)
            raise TopologyError(f"graph {name!r} has no node {placed!r} to place; {remedy}")
    if both := placement.edges.keys() & placement.clouds.keys():
        raise TopologyError(f"placement: {min(both)!r} is edge and cloud; choose one")
    nodes = tuple(placement.node(place) for place in places)
    edges = graph.edges(data=True)
    links = tuple(capacity.link(names[a], names[b], attributes) for a, b, attributes in edges)
    return Topology(name, nodes, links)


def _name(key: object, attributes: Mapping[str, object], placement: Placement) -> str:
    if placement.name_attribute is None:
        return str(key)
    if placement.name_attribute not in attributes:
        remedy = _have(attributes)
        raise TopologyError(f"node {key}: no attribute {placement.name_attribute!r}; {remedy}")
    return str(attributes[placement.name_attribute])


def _number(attributes: Mapping[str, object], name: str, place: str) -> float:
    if name not in attributes:
        raise TopologyError(f"{place}: no attribute {name!r}; {_have(attributes)}")
    try:
        return float(str(attributes[name]))
    except ValueError:
        value = attributes[name]
        raise TopologyError(f"{place}: {name} is {value!r}; it must be a number") from None


def _have(attributes: Iterable[str]) -> str:
    return f"it has {', '.join(map(repr, attributes)) or 'none'}"
