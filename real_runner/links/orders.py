"""What the link process is told when it starts, in two files of the run's folder."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from real_runner.links.network import Network

NETWORK: Final = "links.txt"
_PLACES: Final = "places.json"


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A node's ``address``, and the congestion control of its connections.

    That is ``default``, or what ``others`` says of a node by its address.
    """

    address: str
    default: str
    others: dict[str, str]


def write_orders(network: Network, program: Path, folder: Path) -> None:
    """Write what to forward, with which program, and the places to make."""
    (folder / NETWORK).write_text(network.text(), encoding="ascii")
    places = [asdict(_place(network, node)) for node in network.nodes]
    text = json.dumps({"program": str(program), "places": places})
    (folder / _PLACES).write_text(text, encoding="utf-8")


def read_orders(folder: Path) -> tuple[str, list[PlaceOrder]]:
    """Return the program that forwards, and the places to make."""
    found = json.loads((folder / _PLACES).read_text(encoding="utf-8"))
    return found["program"], [PlaceOrder(**place) for place in found["places"]]


def _place(network: Network, node: str) -> PlaceOrder:
    wanted: dict[str, str] = {
        network.address(other): network.congestion(node, other)
        for other in network.nodes
        if other != node
    }
    counts = Counter(wanted.values())
    default = counts.most_common(1)[0][0] if counts else "bbr"
    others = {address: word for address, word in wanted.items() if word != default}
    return PlaceOrder(network.address(node), default, others)
