"""Links of a network that Mininet has built: hosts, bridges for routers, links of our own class.

Where the kernel has netem, and links ask for nothing that it cannot do, it shapes them as it does
``netem`` ones; else the forwarder of ``userspace`` ones does, between the TAP devices that are a
link's ends. Queues serve frames in order of arrival, whoever sends them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from real_runner.links.emulation import Emulation
from real_runner.links.mininet.fitting import refuse_what_mininet_cannot
from real_runner.links.network import Network
from real_runner.links.userspace.program import forwarder
from topologies.files import write_topology

TOPOLOGY: Final = "topology.json"


def mininet(run: str, folder: Path, network: Network) -> Emulation:
    """Return such links, to be started; `ScenarioError` for a topology that Mininet cannot be."""
    refuse_what_mininet_cannot(network.topology)
    return Emulation("mininet", run, folder, network, prepare)


def prepare(network: Network, folder: Path) -> Sequence[str]:
    """Write the link process's orders; return its module and what it is told besides."""
    write_topology(network.topology, folder / TOPOLOGY)
    return "real_runner.links.mininet.process", str(forwarder())
