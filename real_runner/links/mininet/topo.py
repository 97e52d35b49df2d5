"""A topology as a Mininet `Topo`, for whoever has Mininet scripts.

Hosts are the nodes that are no routers, with the addresses of `real_runner.links.network`; routers
are switches. Links carry the parameters of Mininet's own ``TCLink``:

    from mininet.link import TCLink
    from mininet.net import Mininet
    from mininet.nodelib import LinuxBridge
    from real_runner.links.mininet.topo import topo_of
    from topologies.shipped import load

    net = Mininet(topo_of(load("small-sam")), switch=LinuxBridge, link=TCLink, controller=None)

What ``TCLink`` makes of them is Mininet's: its token bucket lets 15 kB through at once, and its
queue counts packets. ``--links mininet`` has links of its own for that reason.
"""

from collections.abc import Callable
from typing import Any, Final

from mininet.topo import Topo

from real_runner.links.mininet.fitting import refuse_what_mininet_cannot
from real_runner.links.network import ADDRESSES, FRAMING_BYTES, MTU_BYTES, Network, queue_bytes
from sim.errors import ScenarioError
from topologies.links import Channel, Link
from topologies.topology import Topology

MOST_BITS_PER_S: Final = 1e9
"""Mininet logs, and then ignores, a rate above it (``TCIntf.config``)."""

Options = Callable[[Network, int], dict[str, Any]]
"""What `Topo.addLink` is told of the link with a number."""


def shaped(network: Network, number: int) -> dict[str, Any]:
    """Return a link's parameters as Mininet's ``TCLink`` has them, for each of its ends.

    Raises `ScenarioError` for what that cannot do, naming link and field.
    """
    link = network.topology.links[number]
    channels = network.topology.channels[2 * number : 2 * number + 2]
    _refuse(link, max(channel.rate_bits_per_s for channel in channels))
    forth, back = (_parameters(link, channel) for channel in channels)
    return {"params1": forth, "params2": back}


def topo_of(topology: Topology, options: Options = shaped) -> Topo:
    """Return a topology as Mininet describes networks; ``options`` say what its links are.

    Raises `ScenarioError` for one that Mininet cannot be.
    """
    refuse_what_mininet_cannot(topology)
    network = Network(topology)
    topo = Topo()
    for number, node in enumerate(topology.nodes):
        if node.role == "router":
            topo.addSwitch(node.name, dpid=f"{number + 1:x}")
        else:
            address = f"{network.address(node.name)}/{ADDRESSES.prefixlen}"
            topo.addHost(node.name, ip=address, mac=hardware_address(number))
    for number, link in enumerate(topology.links):
        devices = {
            f"intfName{side}": f"h{network.nodes.index(end)}-eth0"  # hosts' names may be too long
            for side, end in ((1, link.source), (2, link.target))
            if topology.node(end).role != "router"
        }
        topo.addLink(link.source, link.target, **devices, **options(network, number))
    return topo


def hardware_address(number: int) -> str:
    """Return the Ethernet address of the node with a number."""
    return f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}"


def _parameters(link: Link, channel: Channel) -> dict[str, Any]:
    waiting = -(-queue_bytes(link, channel) // (MTU_BYTES + FRAMING_BYTES))
    found: dict[str, Any] = {
        "bw": channel.rate_bits_per_s / 1e6,
        "delay": f"{channel.delay_s * 1e6:.0f}us",
        "max_queue_size": max(1, waiting),
    }
    if link.jitter_s:
        found["jitter"] = f"{link.jitter_s * 1e6:.0f}us"
    if link.loss:
        found["loss"] = 100 * link.loss
    return found


def _refuse(link: Link, rate_bits_per_s: float) -> None:
    cannot = {
        "rate_bits_per_s": rate_bits_per_s > MOST_BITS_PER_S and "ignores rates above 1 Gbit/s",
        "schedule": (link.schedule or link.back_schedule) and "has links that do not change",
        "duplex": link.duplex == "half" and "has a rate for each direction",
    }
    for field, reason in cannot.items():
        if reason:
            raise ScenarioError(f"link {link.name}: {field}: Mininet {reason}; change it")
