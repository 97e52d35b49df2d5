"""The first process of Mininet's namespaces: builds the network, and shapes its links.

Says what `real_runner.links.emulation` expects.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import TypeVar

from mininet.net import Mininet
from pyroute2 import IPRoute

from real_runner.links.kernel import is_guest
from real_runner.links.mininet.hosts import build, furnish
from real_runner.links.mininet.links import TOPOLOGY
from real_runner.links.mininet.wires import NetemLink, TapLink
from real_runner.links.netem.commanding import Commander
from real_runner.links.netem.disciplines import has_netem
from real_runner.links.netem.links import refuse_what_netem_cannot
from real_runner.links.netem.offloads import OFF, turn_offloads_off
from real_runner.links.netem.orders import wire_of
from real_runner.links.netem.process import say
from real_runner.links.netem.wiring import Direction, Realm, join
from real_runner.links.network import Network
from real_runner.links.settling import keep_silent
from real_runner.links.userspace.orders import NETWORK, wired_text
from sim.errors import ScenarioError
from topologies.files import read_topology

L = TypeVar("L", TapLink, NetemLink)


def hold(run: str, folder: Path, program: str, number_outside: int) -> int:
    """Build the folder's network, and shape its links until there are no more commands.

    ``number_outside`` is what this process is called there. Returns an exit status.
    """
    network = Network(read_topology(folder / TOPOLOGY))
    root = Realm(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC), IPRoute())
    keep_silent()
    by_kernel = has_netem() and _fits_netem(network)
    net, hosts = build(network, NetemLink if by_kernel else TapLink)
    _prepare_bridges(net, root)
    realms = [furnish(number, host, network) for number, host in enumerate(hosts)]
    say({"namespaces": [realm.namespace for realm in realms], "process": number_outside})
    if by_kernel:
        commander = Commander(_directions(net, network, root, realms))
        say({"realtime": not is_guest(), "offloads": OFF, "losses": "unseeded"})
        commander.obey(sys.stdin)
        return 0
    (folder / NETWORK).write_text(wired_text(network), encoding="ascii")
    devices = [device for link in _links(net, TapLink) for device in link.devices]
    command = (program, f"--run={run}", str(folder / NETWORK), *map(str, devices))
    return subprocess.run(command, pass_fds=devices, check=False).returncode  # noqa: S603 - our own


def _fits_netem(network: Network) -> bool:
    """Return whether links ask for nothing but what netem does."""
    try:
        for link in network.topology.links:
            refuse_what_netem_cannot(link, "mininet")
    except ScenarioError:
        return False
    return True


def _prepare_bridges(net: Mininet, root: Realm) -> None:
    """Turn off the offloads of what Mininet has made itself: the devices of bridges."""
    for switch in net.switches:
        for device in switch.intfNames():
            if device != "lo":
                turn_offloads_off(root.kernel, device)


def _links(net: Mininet, kind: type[L]) -> list[L]:
    """Return the topology's links in their order, without those to hosts beside bridges."""
    ours = [link for link in net.links if isinstance(link, kind)]
    return sorted(ours, key=lambda link: link.number)


def _directions(
    net: Mininet, network: Network, root: Realm, realms: list[Realm]
) -> list[Direction]:
    """Shape all links; return their directions, forth and back in turn."""
    hosts = dict(zip(network.nodes, realms, strict=True))
    found: list[Direction] = []
    for link in _links(net, NetemLink):
        outer = (link.intf1, link.intf2)
        ends = [hosts[each.node.name] if each.node.inNamespace else root for each in outer]
        devices = [_device(end, each.name) for end, each in zip(ends, outer, strict=True)]
        inner = [_device(root, name) for name in link.inner]
        wire = wire_of(network, link.number)
        found += join(
            wire, (ends[0], ends[1]), (devices[0], devices[1]), root, (inner[0], inner[1])
        )
    return found


def _device(realm: Realm, name: str) -> int:
    found: int = realm.kernel.link_lookup(ifname=name)[0]
    return found
