"""What a topology file may say: nodes and links, or a builder and its parameters.

These models are the boundary. They know keys, units and defaults, and turn into the values of
`topology`, which know what fits together.
"""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from topologies.builders import BUILDERS, build, parameters_model
from topologies.carbon import CarbonIntensity
from topologies.carbon_document import CarbonDocument
from topologies.device import DeviceDocument, catalogue, device_named
from topologies.documents import (
    BitsPerS,
    Bytes,
    DocumentError,
    JoulesPerBit,
    Seconds,
    Strict,
    Usd,
    UsdPerByte,
    key_of,
    parse,
)
from topologies.errors import TopologyError
from topologies.schedule_document import ScheduleDocument
from topologies.schedules import Schedule
from topologies.serving import IN_ORDER, Serving
from topologies.topology import (
    Billing,
    Carriage,
    Congestion,
    Duplex,
    Link,
    Node,
    Role,
    Topology,
    trusted_by_default,
)


class NodeDocument(Strict):
    """A node; `device` is a name in the catalogue or a whole profile."""

    name: str
    role: Role
    device: str | DeviceDocument | None = None
    trusted: bool | None = Field(default=None, description="sensors and edges are, unless said")
    provider: str = ""
    region: str = ""
    egress_usd_per_byte: UsdPerByte = 0.0
    billing: Billing = Field(default="busy", description="when the device's price is due")
    request_price_usd: Usd = Field(default=0.0, description="per computation asked of it")
    serving: Serving | None = Field(default=None, description="in order of arrival, unless said")

    def node(self, folder: Path) -> Node:
        """Return the node described; paths in it are relative to `folder`."""
        device = self.device
        profile = device.device() if isinstance(device, DeviceDocument) else None
        if isinstance(device, str):
            profile = device_named(device)
        trusted = trusted_by_default(self.role) if self.trusted is None else self.trusted
        try:
            serving = (self.serving or IN_ORDER).read(folder)
        except TopologyError as error:
            raise TopologyError(f"node {self.name!r}: {error}") from error
        return Node(self.name, self.role, profile, trusted, self.provider, self.region,
                    self.egress_usd_per_byte, self.billing, self.request_price_usd,
                    serving)  # fmt: skip

    @classmethod
    def of(cls, node: Node) -> Self:
        """Return the document of a node; `node()` undoes it."""
        values = {key_of(name): getattr(node, name) for name in cls.model_fields}
        if node.trusted == trusted_by_default(node.role):
            del values["trusted"]
        if node.serving == IN_ORDER:
            del values["serving"]
        if node.device:
            shipped = catalogue().get(node.device.name) == node.device
            values["device"] = node.device.name if shipped else DeviceDocument.of(node.device)
        return cls.model_validate(values)


class LinkDocument(Strict):
    """A link; what `back_` keys leave out is the same both ways."""

    source: str
    target: str
    rate_bits_per_s: BitsPerS
    delay_s: Seconds = Field(description="one-way propagation")
    back_rate_bits_per_s: BitsPerS | None = None
    energy_j_per_bit: JoulesPerBit = 0.0
    back_energy_j_per_bit: JoulesPerBit | None = None
    duplex: Duplex = Field(default="full", description="half: both directions share one rate")
    loss: float = Field(default=0.0, ge=0, lt=1, description="probability that a packet is lost")
    jitter_s: Seconds = Field(
        default=0.0, description="most by which a packet's delay differs; order is kept"
    )
    transport: Carriage = Field(default="fluid", description="tcp: a connection's window counts")
    congestion: Congestion = Field(default="cubic", description="of tcp")
    queue_bytes: Bytes | None = Field(
        default=None, description="one bandwidth-delay product, 64 KiB at least, where left out"
    )
    schedule: ScheduleDocument | None = None
    back_schedule: ScheduleDocument | None = None
    message_bytes: Bytes = Field(
        default=0, description="what each message costs the link beyond its own bytes"
    )
    back_message_bytes: Bytes | None = None
    coding_bytes: Bytes = Field(
        default=0, description="what a message costs more that a codec writes"
    )
    back_coding_bytes: Bytes | None = None

    def link(self, folder: Path = Path()) -> Link:
        """Return the link described; paths in it are relative to `folder`."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        back_rate = self.back_rate_bits_per_s
        rates = {
            "schedule": self.rate_bits_per_s,
            "back_schedule": self.rate_bits_per_s if back_rate is None else back_rate,
        }
        for name, rate in rates.items():
            if values[name] is not None:
                values[name] = self._schedule(name, rate, folder)
        return Link(**values)

    def _schedule(self, name: str, rate_bits_per_s: float, folder: Path) -> Schedule:
        document: ScheduleDocument = getattr(self, name)
        try:
            return document.schedule(rate_bits_per_s, self.delay_s, folder)
        except DocumentError:
            raise
        except TopologyError as error:
            raise TopologyError(f"link {self.source}->{self.target}: {name}: {error}") from error

    @classmethod
    def of(cls, link: Link) -> Self:
        """Return the document of a link; `link()` undoes it."""
        values = {key_of(name): getattr(link, name) for name in cls.model_fields}
        for name in ("schedule", "back_schedule"):
            if values[name] is not None:
                values[name] = ScheduleDocument.of(values[name])
        return cls.model_validate(values)


class TopologyDocument(Strict):
    """A topology: nodes and links, or a builder and its parameters."""

    name: str
    description: str = ""
    nodes: tuple[NodeDocument, ...] = ()
    links: tuple[LinkDocument, ...] = ()
    builder: str | None = None
    parameters: dict[str, Any] = Field(default={}, description="as the builder's, without units")
    carbon: dict[str, CarbonDocument] = Field(
        default={}, description="intensity of the grid by node or region, or for 'elsewhere'"
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.builder and (self.nodes or self.links):
            raise TopologyError("give a builder or nodes and links, not both")
        if self.parameters and not self.builder:
            raise TopologyError("parameters need a builder; name one")
        if not self.builder and not self.nodes:
            raise TopologyError("there are no nodes; list them or name a builder")
        return self

    def topology(self, place: str, folder: Path) -> Topology:
        """Return the topology described.

        `place` names the document in errors, paths in it are relative to `folder`.
        """
        carbon = {name: _intensity(name, given, folder) for name, given in self.carbon.items()}
        if self.builder:
            built = build(self.builder, self.parameters, place)
            return Topology(self.name, built.nodes, built.links, self.description, carbon)
        nodes = tuple(node.node(folder) for node in self.nodes)
        links = tuple(link.link(folder) for link in self.links)
        return Topology(self.name, nodes, links, self.description, carbon)

    @classmethod
    def of(cls, topology: Topology) -> Self:
        """Return the document of a topology, nodes and links written out."""
        nodes = tuple(NodeDocument.of(node) for node in topology.nodes)
        links = tuple(LinkDocument.of(link) for link in topology.links)
        carbon = {name: CarbonDocument.of(given) for name, given in topology.carbon.items()}
        return cls(name=topology.name, description=topology.description, nodes=nodes, links=links,
                   carbon=carbon)  # fmt: skip


def _intensity(name: str, given: CarbonDocument, folder: Path) -> CarbonIntensity:
    try:
        return given.intensity(folder)
    except DocumentError:
        raise
    except TopologyError as error:
        raise TopologyError(f"carbon.{name}: {error}") from error


def topology_from(data: object, place: str, folder: Path = Path()) -> Topology:
    """Return the topology that plain objects describe.

    `place` names their origin in errors; paths in them are relative to `folder`.

    Raises DocumentError: the objects describe no valid topology.
    """
    document = parse(TopologyDocument, data, place)
    try:
        return document.topology(place, folder)
    except DocumentError:
        raise
    except TopologyError as error:
        raise DocumentError(f"{place}: {error}") from error


def plain(topology: Topology) -> dict[str, Any]:
    """Return the topology as plain objects, defaults left out; `topology_from` undoes it."""
    document = TopologyDocument.of(topology)
    return document.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of topology documents, each builder's parameters included."""
    schema = TopologyDocument.model_json_schema()
    schema["properties"]["builder"] = {"enum": sorted(BUILDERS)}
    schema["allOf"] = []
    for builder in sorted(BUILDERS):
        parameters = parameters_model(builder).model_json_schema()
        schema["$defs"] |= parameters.pop("$defs", {})
        named = {"properties": {"builder": {"const": builder}}, "required": ["builder"]}
        schema["allOf"].append({"if": named, "then": {"properties": {"parameters": parameters}}})
    return schema
