"""A node's place in an emulated network: its address, and its connections' congestion control."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from real_runner.links.network import Network

_PLACES: Final = "places.json"


@dataclass(frozen=True, slots=True)
class Place:
    """A node's ``address``, and the congestion control of its connections.

    That is ``default``, or what ``others`` says of a node by its address. ``window`` is that of
    connections that carry fluids, in segments.
    """

    address: str
    default: str
    others: dict[str, str]
    window: int

    def congestion(self, address: str) -> str:
        """Return the congestion control of connections to another node."""
        return self.others.get(address, self.default)


def write_places(network: Network, folder: Path) -> None:
    """Write the places that a link process is to make, in the order of nodes."""
    text = json.dumps([asdict(place_of(network, node)) for node in network.nodes])
    (folder / _PLACES).write_text(text, encoding="utf-8")


def read_places(folder: Path) -> list[Place]:
    """Return the places to make."""
    text = (folder / _PLACES).read_text(encoding="utf-8")
    return [Place(**place) for place in json.loads(text)]


def place_of(network: Network, node: str) -> Place:
    """Return a node's place."""
    wanted: dict[str, str] = {
        network.address(other): network.congestion(node, other)
        for other in network.nodes
        if other != node
    }
    counts = Counter(wanted.values())
    default = counts.most_common(1)[0][0] if counts else "fluid"
    others = {address: word for address, word in wanted.items() if word != default}
    return Place(network.address(node), default, others, network.fluid_segments(node))
