"""Topologies from a few numbers, for Python code and, by name, for topology documents.

Every parameter is keyword-only and typed as in a file: what Python calls `access_delay_s` is
`access_delay: 2ms` in a document's `parameters` (`build`).
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from typing import Annotated, Any, Final

from pydantic import Field, create_model

from topologies.device import device_named
from topologies.documents import (
    BitsPerS,
    DocumentError,
    JoulesPerBit,
    Metres,
    Seconds,
    Strict,
    UsdPerByte,
    parse,
)
from topologies.errors import TopologyError, suggestion
from topologies.propagation import fibre_delay_s
from topologies.topology import Link, Node, Topology

# From a region's router to each of its clouds: an assumption.
LAST_MILE_M: Final = 100e3

Count = Annotated[int, Field(ge=1)]


class Region(Strict):
    """Clouds at one place: their devices, and how far and how fat the way there is."""

    name: str
    distance_m: Metres
    clouds: tuple[str, ...] = Field(description="a device of the catalogue per cloud")
    rate_bits_per_s: BitsPerS = 10e9
    cloud_rate_bits_per_s: BitsPerS = 10e9
    provider: str = ""
    egress_usd_per_byte: UsdPerByte = 0.0


def star(
    *,
    edge: str,
    clouds: Sequence[str],
    rate_bits_per_s: BitsPerS,
    delay_s: Seconds,
    name: str = "star",
) -> Topology:
    """Return an edge with a link of its own to each cloud; devices by catalogue name.

    No link is shared, so that this flatters designs with many clouds: a base for tests of theory.
    """
    names = [f"cloud-{number}" for number in range(1, len(clouds) + 1)]
    nodes = [_cloud(cloud, device) for cloud, device in zip(names, clouds, strict=True)]
    links = [Link("edge", cloud, rate_bits_per_s, delay_s) for cloud in names]
    return Topology(name, (_edge("edge", edge), *nodes), tuple(links))


def three_tier(  # noqa: PLR0913 - keyword-only, one per property of the tiers
    *,
    sensor: str | None,
    edge: str,
    clouds: Sequence[str],
    radio_rate_bits_per_s: BitsPerS,
    radio_delay_s: Seconds,
    access_rate_bits_per_s: BitsPerS,
    access_delay_s: Seconds,
    cloud_rate_bits_per_s: BitsPerS,
    cloud_delay_s: Seconds,
    radio_back_rate_bits_per_s: BitsPerS | None = None,
    access_back_rate_bits_per_s: BitsPerS | None = None,
    name: str = "three-tier",
) -> Topology:
    """Return sensor, trusted edge, shared access link to a router, and clouds behind it.

    Rates hold upwards; the `back_` ones hold downwards and default to the same.
    `sensor` names the device that captures, or is None for one that computes nothing.
    """
    device = device_named(sensor) if sensor else None
    names = [f"cloud-{number}" for number in range(1, len(clouds) + 1)]
    nodes = (
        Node("sensor", "sensor", device),
        _edge("edge", edge),
        Node("isp", "router"),
        *(_cloud(cloud, kind) for cloud, kind in zip(names, clouds, strict=True)),
    )
    links = (
        Link("sensor", "edge", radio_rate_bits_per_s, radio_delay_s, radio_back_rate_bits_per_s),
        Link("edge", "isp", access_rate_bits_per_s, access_delay_s, access_back_rate_bits_per_s),
        *(Link("isp", cloud, cloud_rate_bits_per_s, cloud_delay_s) for cloud in names),
    )
    return Topology(name, nodes, links)


def multi_region(
    *,
    edge: str,
    regions: Sequence[Region],
    access_rate_bits_per_s: BitsPerS,
    access_delay_s: Seconds,
    access_back_rate_bits_per_s: BitsPerS | None = None,
    name: str = "multi-region",
) -> Topology:
    """Return an edge behind one access link, and regions as far off as they say.

    A region is a router at `fibre_delay_s(distance_m)`; its clouds lie `LAST_MILE_M` from it.
    """
    nodes = [_edge("edge", edge), Node("isp", "router")]
    access_back = access_back_rate_bits_per_s
    links = [Link("edge", "isp", access_rate_bits_per_s, access_delay_s, access_back)]
    for region in regions:
        delay_s = fibre_delay_s(region.distance_m)
        nodes.append(Node(region.name, "router", region=region.name))
        links.append(Link("isp", region.name, region.rate_bits_per_s, delay_s))
        for number, device in enumerate(region.clouds, start=1):
            cloud = f"{region.name}-{number}"
            nodes.append(_cloud(cloud, device, region.name, region.provider,
                                region.egress_usd_per_byte))  # fmt: skip
            link = Link(region.name, cloud, region.cloud_rate_bits_per_s,
                        fibre_delay_s(LAST_MILE_M))  # fmt: skip
            links.append(link)
    return Topology(name, tuple(nodes), tuple(links))


def metro(  # noqa: PLR0913 - keyword-only, one per property of the tiers
    *,
    edges: Count = 200,
    clouds: Count = 40,
    aggregations: Count = 10,
    regions: Count = 4,
    edge_devices: Sequence[str] = ("jetson-orin-nano-8gb", "jetson-agx-orin-64gb"),
    cloud_devices: Sequence[str] = ("t4", "l4", "a10g", "a100-80gb", "h100-sxm"),
    providers: Sequence[str] = ("aws", "azure", "gcp"),
    egress_usd_per_byte: UsdPerByte = 0.09e-9,
    access_rate_bits_per_s: BitsPerS = 300e6,
    access_back_rate_bits_per_s: BitsPerS = 1e9,
    access_delay_s: Seconds = 2e-3,
    access_energy_j_per_bit: JoulesPerBit = 0.0,
    aggregation_rate_bits_per_s: BitsPerS = 10e9,
    nearest_m: Metres = 100e3,
    farthest_m: Metres = 3000e3,
    name: str = "metro",
) -> Topology:
    """Return a city: edges on aggregation routers, one core, and regions of clouds behind it.

    Devices, providers, aggregation routers and regions are dealt out in turn, so that the same
    numbers give the same topology. Regions lie evenly between `nearest_m` and `farthest_m`.
    """
    nodes = [Node("core", "router")]
    links: list[Link] = []
    for number in range(aggregations):
        nodes.append(Node(f"agg-{number}", "router"))
        links.append(Link(f"agg-{number}", "core", aggregation_rate_bits_per_s, 0.2e-3))
    for number, device in enumerate(islice(cycle(edge_devices), edges)):
        nodes.append(_edge(f"edge-{number}", device))
        links.append(Link(f"edge-{number}", f"agg-{number % aggregations}",
                          access_rate_bits_per_s, access_delay_s, access_back_rate_bits_per_s,
                          access_energy_j_per_bit))  # fmt: skip
    step_m = (farthest_m - nearest_m) / max(1, regions - 1)
    for number in range(regions):
        delay_s = fibre_delay_s(nearest_m + number * step_m)
        nodes.append(Node(f"region-{number}", "router", region=f"region-{number}"))
        links.append(Link("core", f"region-{number}", 100e9, delay_s))
    dealt = zip(range(clouds), cycle(cloud_devices), cycle(providers), strict=False)
    for number, device, provider in dealt:
        region = f"region-{number % regions}"
        nodes.append(_cloud(f"cloud-{number}", device, region, provider, egress_usd_per_byte))
        links.append(Link(region, f"cloud-{number}", 10e9, 0.2e-3))
    return Topology(name, tuple(nodes), tuple(links))


def _edge(name: str, device: str) -> Node:
    return Node(name, "edge", device_named(device))


def _cloud(name: str, device: str, region: str = "", provider: str = "",
           egress_usd_per_byte: float = 0.0) -> Node:  # fmt: skip
    return Node(name, "cloud", device_named(device), provider=provider, region=region,
                egress_usd_per_byte=egress_usd_per_byte)  # fmt: skip


BUILDERS: Final[Mapping[str, Callable[..., Topology]]] = {
    "star": star, "three_tier": three_tier, "multi_region": multi_region, "metro": metro,
}  # fmt: skip


def build(builder: str, parameters: Mapping[str, Any], place: str) -> Topology:
    """Return what the builder of this name makes of a document's parameters.

    Raises DocumentError: an unknown builder, or parameters that do not fit it.
    """
    if builder not in BUILDERS:
        raise DocumentError(
            f"{place}: unknown builder {builder!r}; {suggestion(builder, BUILDERS)}"
        )
    values = parse(parameters_model(builder), dict(parameters), f"{place}: parameters")
    given = {name: getattr(values, name) for name in type(values).model_fields}
    try:
        return BUILDERS[builder](**given)
    except TopologyError as error:
        raise DocumentError(f"{place}: parameters: {error}") from error


def parameters_model(builder: str) -> type[Strict]:
    """Return the model of a builder's parameters, made from its signature."""
    parameters = inspect.signature(BUILDERS[builder]).parameters
    fields: dict[str, Any] = {
        name: (parameter.annotation, ... if parameter.default is parameter.empty
               else parameter.default)
        for name, parameter in parameters.items()
        if name != "name"
    }  # fmt: skip
    return create_model(builder, __base__=Strict, **fields)
