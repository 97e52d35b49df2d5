"""What the process of netem links is told when it starts: channels, and the next hops of nodes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from real_runner.links.network import FRAMING_BYTES, MTU_BYTES, Network, queue_bytes
from topologies.links import Channel

_WIRES: Final = "wires.json"


@dataclass(frozen=True, slots=True)
class Shape:
    """What netem is to do to a channel; ``queue_packets`` wait, the one being sent included."""

    rate_bits_per_s: float
    delay_s: float
    jitter_s: float
    loss: float
    queue_packets: int


@dataclass(frozen=True, slots=True)
class Wire:
    """A link between two nodes, by number, and the shapes of its directions: forth and back."""

    ends: tuple[int, int]
    shapes: tuple[Shape, Shape]


@dataclass(frozen=True, slots=True)
class Wires:
    """All links, and for each node the link over which another, by its address, is reached."""

    wires: tuple[Wire, ...]
    hops: tuple[dict[str, int], ...]


def wire_of(network: Network, number: int) -> Wire:
    """Return the link with this number."""
    link = network.topology.links[number]
    forth, back = network.topology.channels[2 * number : 2 * number + 2]
    ends = (network.nodes.index(link.source), network.nodes.index(link.target))
    return Wire(ends, (_shape(network, forth), _shape(network, back)))


def _shape(network: Network, channel: Channel) -> Shape:
    link = network.topology.links[channel.index // 2]
    waiting = -(-queue_bytes(link, channel) // (MTU_BYTES + FRAMING_BYTES))
    return Shape(
        channel.rate_bits_per_s, channel.delay_s, link.jitter_s, link.loss, max(1, waiting) + 1
    )


def write_wires(network: Network, folder: Path) -> None:
    """Write what the process is to make."""
    topology = network.topology
    wires = tuple(wire_of(network, number) for number in range(len(topology.links)))
    hops = tuple(
        {
            network.address(other): topology.route(node, other).channels[0] // 2
            for other in network.nodes
            if other != node
        }
        for node in network.nodes
    )
    (folder / _WIRES).write_text(json.dumps(asdict(Wires(wires, hops))), encoding="utf-8")


def read_wires(folder: Path) -> Wires:
    """Return what to make."""
    found = json.loads((folder / _WIRES).read_text(encoding="utf-8"))
    wires = tuple(
        Wire((source, target), (Shape(**forth), Shape(**back)))
        for (source, target), (forth, back) in (
            (wire["ends"], wire["shapes"]) for wire in found["wires"]
        )
    )
    return Wires(wires, tuple(found["hops"]))
