"""Links of our own, by TUN devices in namespaces and one process that forwards every packet.

They honour whatever a link may ask for, on every kernel that has TUN devices and namespaces.
"""

from collections.abc import Sequence
from pathlib import Path

from real_runner.links.emulation import Emulation
from real_runner.links.network import Network
from real_runner.links.places import write_places
from real_runner.links.userspace.orders import NETWORK, routed_text
from real_runner.links.userspace.program import forwarder


def userspace(run: str, folder: Path, network: Network) -> Emulation:
    """Return such links, to be started."""
    return Emulation("userspace", run, folder, network, prepare)


def prepare(network: Network, folder: Path) -> Sequence[str]:
    """Write the link process's orders; return its module and what it is told besides."""
    program = forwarder()
    (folder / NETWORK).write_text(routed_text(network), encoding="ascii")
    write_places(network, folder)
    return "real_runner.links.userspace.process", str(program)
