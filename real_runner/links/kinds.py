"""The kinds of emulated links there are."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from real_runner.links.backend import Backend
from real_runner.links.mininet.links import mininet
from real_runner.links.netem.links import netem
from real_runner.links.network import Network
from real_runner.links.userspace.links import userspace
from topologies.topology import Topology

Emulated = Literal["userspace", "netem", "mininet"]

_KINDS: Final[Mapping[Emulated, Callable[[str, Path, Network], Backend]]] = {
    "userspace": userspace,
    "netem": netem,
    "mininet": mininet,
}


def emulated_links(kind: Emulated, run: str, folder: Path, topology: Topology) -> Backend:
    """Return a topology's links of a kind, to be started; ``folder`` is the run's.

    Raises `ScenarioError` for a topology that this kind cannot honour, naming link and field, and
    `RealRunError` for one that is too large.
    """
    return _KINDS[kind](run, folder, Network(topology))
