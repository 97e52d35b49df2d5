"""The world as a value: nodes, links, and the routes that follow from them.

A topology describes; it neither simulates nor emulates. Every link becomes two channels, one per
direction, each with a capacity of its own, or both with one where the link is half duplex; what
occupies a network is channels.
Any node forwards traffic, compute nodes too (a phone behind a wearable, an edge before its
clouds): where that is not wanted, the links say so by not being there. Delays are one-way.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from topologies.carbon import ELSEWHERE, CarbonIntensity
from topologies.device import Device
from topologies.errors import TopologyError, suggestion
from topologies.frozen import FrozenMap
from topologies.routes import Route, Router
from topologies.schedules import Schedule
from topologies.serving import IN_ORDER, Serving

if TYPE_CHECKING:
    import networkx

Role = Literal["sensor", "edge", "cloud", "router"]
ROLES: Final[tuple[str, ...]] = get_args(Role)

Duplex = Literal["full", "half"]
Carriage = Literal["fluid", "tcp"]
Congestion = Literal["cubic", "bbr"]

Billing = Literal["busy", "reserved"]
BILLINGS: Final[tuple[str, ...]] = get_args(Billing)


def trusted_by_default(role: Role) -> bool:
    """Say whether a role belongs to the user: sensors and edges do."""
    return role in ("sensor", "edge")


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the network. Edges and clouds compute, sensors may, routers never do.

    `trusted` defaults to `trusted_by_default(role)`.
    `egress_usd_per_byte` is what the provider charges for bytes that leave the node. `billing`
    says whether the device's hourly price is due while it is `busy`, slot by slot, or for as long
    as the run lasts, since the whole node is `reserved`. `request_price_usd` is due for each
    computation that is asked of the node, as for a function that is called. `serving` says how its
    device serves, in order of arrival unless said otherwise.

    Raises TopologyError: an unknown role, a device where none may be or none where one must be,
    unknown billing, a price out of its range.
    """

    name: str
    role: Role
    device: Device | None = None
    trusted: bool = field(default=cast("bool", None))
    provider: str = ""
    region: str = ""
    egress_usd_per_byte: float = 0.0
    billing: Billing = "busy"
    request_price_usd: float = 0.0
    serving: Serving = IN_ORDER

    def __post_init__(self) -> None:
        if self.trusted is None:
            object.__setattr__(self, "trusted", trusted_by_default(self.role))
        place = f"node {self.name!r}"
        if not self.name:
            raise TopologyError("a node has no name; give each node one")
        if self.role not in ROLES:
            remedy = suggestion(self.role, ROLES)
            raise TopologyError(f"{place}: role {self.role!r} is unknown; {remedy}")
        if self.role == "router" and self.device is not None:
            raise TopologyError(f"{place}: a router has no device; remove it or change the role")
        if self.role in ("edge", "cloud") and self.device is None:
            raise TopologyError(f"{place}: role {self.role!r} needs a device; name one")
        if self.billing not in BILLINGS:
            remedy = suggestion(self.billing, BILLINGS)
            raise TopologyError(f"{place}: billing {self.billing!r} is unknown; {remedy}")
        if self.serving != IN_ORDER and self.device is None:
            raise TopologyError(f"{place}: nothing serves without a device; remove serving")
        _require_at_least_0(place, "egress_usd_per_byte", self.egress_usd_per_byte)
        _require_at_least_0(place, "request_price_usd", self.request_price_usd)


@dataclass(frozen=True, slots=True)
class Link:
    """A connection of two nodes; its delay is one-way propagation.

    `rate_bits_per_s`, `energy_j_per_bit` and `schedule` hold from source to target; the `back_`
    ones hold the other way and default to the same. A `schedule` replaces rate and delay from time
    0 on; the rate beside it is what the link is believed to have, its delay is what routes go by.

    `duplex`: directions of a `half` duplex link share one rate, as Wi-Fi shares its airtime.
    `loss` is the probability that a packet is lost. `transport` says how bytes are carried:
    `fluid` ones share the rate from the first moment, `tcp` runs a connection of the class
    `congestion`, whose window counts. `queue_bytes` is what waits before the link at most, by
    default as much as is on the way to and fro: one bandwidth-delay product, 64 KiB at
    least.

    Raises TopologyError: a self loop, a rate that is not positive, a negative delay or energy, an
    unknown word, a loss that is no probability below 1, a half-duplex link with `back_` rates.
    """

    source: str
    target: str
    rate_bits_per_s: float
    delay_s: float
    back_rate_bits_per_s: float | None = None
    energy_j_per_bit: float = 0.0
    back_energy_j_per_bit: float | None = None
    duplex: Duplex = "full"
    loss: float = 0.0
    transport: Carriage = "fluid"
    congestion: Congestion = "cubic"
    queue_bytes: int | None = None
    schedule: Schedule | None = None
    back_schedule: Schedule | None = None

    def __post_init__(self) -> None:
        place = f"link {self.name}"
        if self.source == self.target:
            raise TopologyError(f"{place}: a node needs no link to itself; remove it")
        for name in ("rate_bits_per_s", "back_rate_bits_per_s"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < math.inf:
                raise TopologyError(f"{place}: {name} is {rate!r}; it must be finite and above 0")
        for name in ("delay_s", "energy_j_per_bit", "back_energy_j_per_bit", "queue_bytes"):
            value = getattr(self, name)
            if value is not None:
                _require_at_least_0(place, name, value)
        if not 0 <= self.loss < 1:
            raise TopologyError(f"{place}: loss is {self.loss!r}; give a probability below 1")
        _check_words(self)

    @property
    def name(self) -> str:
        """The ends, in the link's own direction: 'edge->isp'."""
        return f"{self.source}->{self.target}"

    def schedule_of(self, *, back: bool) -> Schedule | None:
        """Return the schedule of one direction, `None` where rate and delay never change."""
        return self.back_schedule if back and self.back_schedule is not None else self.schedule

    def channels(self, number: int) -> tuple["Channel", "Channel"]:
        """Return the two directions of the topology's link with this number."""
        back_rate, back_energy = self.back_rate_bits_per_s, self.back_energy_j_per_bit
        back_rate = self.rate_bits_per_s if back_rate is None else back_rate
        back_energy = self.energy_j_per_bit if back_energy is None else back_energy
        return (
            Channel(2 * number, self.source, self.target, self.rate_bits_per_s, self.delay_s,
                    self.energy_j_per_bit),
            Channel(2 * number + 1, self.target, self.source, back_rate, self.delay_s,
                    back_energy),
        )  # fmt: skip


_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "duplex": get_args(Duplex),
    "transport": get_args(Carriage),
    "congestion": get_args(Congestion),
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One direction of a link; `index` is its place in `Topology.channels`."""

    index: int
    source: str
    target: str
    rate_bits_per_s: float
    delay_s: float
    energy_j_per_bit: float = 0.0

    @property
    def name(self) -> str:
        """The ends in the direction of travel: 'edge->isp'."""
        return f"{self.source}->{self.target}"


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


def _require_at_least_0(place: str, name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise TopologyError(f"{place}: {name} is {value!r}; it must be finite and at least 0")


def _check_words(link: Link) -> None:
    place = f"link {link.name}"
    for name, known in _WORDS.items():
        word = getattr(link, name)
        if word not in known:
            raise TopologyError(f"{place}: {name} {word!r} is unknown; {suggestion(word, known)}")
    for name in ("back_rate_bits_per_s", "back_schedule"):
        if link.duplex == "half" and getattr(link, name) is not None:
            raise TopologyError(
                f"{place}: a half-duplex link has one rate for both directions; remove {name}"
            )


def _check_nodes(topology: Topology) -> None:
    place = f"topology {topology.name!r}"
    counts = Counter(node.name for node in topology.nodes)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise TopologyError(f"{place}: node {twice[0]!r} is given twice; rename one")
    if not any(node.device for node in topology.nodes):
        raise TopologyError(f"{place}: no node has a device; give at least one a device")


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
