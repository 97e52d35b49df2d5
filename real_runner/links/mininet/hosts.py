"""The network that Mininet builds, and what its hosts lack of a node's place.

A bridge has no address of its own, so each router gets a host beside it that answers in its place.
"""

import os
import shutil
from typing import Any, Final

from mininet.link import Link
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from pyroute2 import IPRoute

from real_runner.errors import RealRunError
from real_runner.links.entering import enter_namespace
from real_runner.links.mininet.topo import hardware_address, topo_of
from real_runner.links.netem.offloads import turn_offloads_off
from real_runner.links.netem.wiring import Realm
from real_runner.links.network import MTU_BYTES, Network
from real_runner.links.places import place_of
from real_runner.links.settling import add_routes, settle
from real_runner.links.userspace.devices import QUEUE_PACKETS

PROGRAMS: Final = {
    "mnexec": "mininet", "brctl": "bridge-utils", "ifconfig": "net-tools", "ip": "iproute2",
}  # fmt: skip
"""What Mininet runs, and the Debian packages that bring it."""
_FOR_ROOT: Final = ":/usr/local/sbin:/usr/sbin:/sbin"


def build(network: Network, link: type[Link]) -> tuple[Mininet, list[Any]]:
    """Have Mininet build and start a network; return it, and a host for each node, in their order.

    Raises `RealRunError` where a program is missing that it runs.
    """
    os.environ["PATH"] = os.environ.get("PATH", "") + _FOR_ROOT
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if missing:
        raise RealRunError(f"Mininet lacks programs; apt-get install {' '.join(missing)}")
    setLogLevel("warning")
    Mininet.inited = True  # else it raises limits of the whole machine, which would outlive it
    topo = topo_of(network.topology, lambda _, number: {"number": number})
    net = Mininet(topo, switch=LinuxBridge, link=link, controller=None)
    hosts = [_host(net, network, number) for number in range(len(network.nodes))]
    net.start()
    return net, hosts


def furnish(number: int, host: Any, network: Network) -> Realm:
    """Make a host its node's place, stay in its namespace and return that."""
    path = f"/proc/{host.pid}/ns/net"
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    enter_namespace(path)
    realm = Realm(descriptor, IPRoute())
    kernel, name = realm.kernel, host.defaultIntf().name
    place = place_of(network, network.nodes[number])
    settle(place)
    turn_offloads_off(kernel, name)
    device = kernel.link_lookup(ifname=name)[0]
    kernel.flush_addr(index=device)
    kernel.link(
        "set", index=device, address=hardware_address(number), mtu=MTU_BYTES, txqlen=QUEUE_PACKETS,
    )  # fmt: skip
    kernel.link("set", index=device, state="up")
    add_routes(kernel, device, place)
    for other, node in enumerate(network.nodes):
        if other != number:
            kernel.neigh(
                "replace", dst=network.address(node), lladdr=hardware_address(other),
                ifindex=device, state="permanent",
            )  # fmt: skip
    return realm


def _host(net: Mininet, network: Network, number: int) -> Any:
    """Return a node's host: for a router, one that is now put beside its bridge."""
    node = network.topology.nodes[number]
    if node.role != "router":
        return net[node.name]
    host = net.addHost(f"beside{number}", ip=None)
    net.addLink(host, net[node.name], cls=Link)
    return host
