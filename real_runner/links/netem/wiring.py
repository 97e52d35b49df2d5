"""Where netem's links come from: a namespace per node, and one for the wires between them."""

from dataclasses import dataclass
from typing import Final

from pyroute2 import IPRoute

from real_runner.links.entering import enter_namespace, new_namespace
from real_runner.links.netem.disciplines import propagate, redirect, serialise
from real_runner.links.netem.offloads import turn_offloads_off
from real_runner.links.netem.orders import Shape, Wire, Wires
from real_runner.links.network import MTU_BYTES
from real_runner.links.places import Place
from real_runner.links.settling import add_routes, apply_setting, keep_silent, route_metrics, settle

QUEUE_PACKETS: Final = 1000
HARDWARE_ADDRESS: Final = "02:00:00:00:00:01"
"""Of all devices of nodes: whoever a packet reaches takes it, so nobody has to ask who he is."""
_NOARP: Final = 0x80  # linux/if.h
_ROUTING: Final = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
}


@dataclass(frozen=True, slots=True)
class Realm:
    """A namespace: a descriptor of it, and a socket to its kernel."""

    namespace: int
    kernel: IPRoute

    def enter(self) -> None:
        """Move the calling thread into it."""
        enter_namespace(f"/proc/self/fd/{self.namespace}")


@dataclass(frozen=True, slots=True)
class Direction:
    """A channel that is there: where it queues, and where it delays, each by realm and device."""

    shape: Shape
    source: int
    near: Realm
    queueing: int
    wires: Realm
    delaying: int


def new_realm() -> Realm:
    """Make a namespace, and stay in there."""
    return Realm(new_namespace(), IPRoute())


def make_node(place: Place) -> Realm:
    """Make a node's namespace, in which packets may be on their way to others."""
    realm = new_realm()
    settle(place)
    for name, value in _ROUTING.items():
        apply_setting(name, value)
    return realm


def make_wires() -> Realm:
    """Make the namespace of the wires, in which nobody speaks for himself."""
    realm = new_realm()
    keep_silent()
    return realm


def lay(number: int, wire: Wire, nodes: list[Realm], wires: Realm) -> tuple[Direction, Direction]:
    """Make a link of two pairs of devices, and return its directions: forth and back."""
    ends = (nodes[wire.ends[0]], nodes[wire.ends[1]])
    inner = [_pair(number, side, end, wires) for side, end in enumerate(ends)]
    outer = [end.kernel.link_lookup(ifname=device_name(number))[0] for end in ends]
    return join(wire, ends, (outer[0], outer[1]), wires, (inner[0], inner[1]))


def join(
    wire: Wire,
    ends: tuple[Realm, Realm],
    outer: tuple[int, int],
    wires: Realm,
    inner: tuple[int, int],
) -> tuple[Direction, Direction]:
    """Make a link of the devices of its ends, whose other sides are ``inner`` ones of the wires."""
    for near, far in ((0, 1), (1, 0)):
        serialise(ends[near].kernel, outer[near], wire.shapes[near])
        propagate(wires.kernel, inner[far], wire.shapes[near])
        redirect(wires.kernel, inner[near], inner[far])
    return (
        Direction(wire.shapes[0], wire.ends[0], ends[0], outer[0], wires, inner[1]),
        Direction(wire.shapes[1], wire.ends[1], ends[1], outer[1], wires, inner[0]),
    )


def address(number: int, realm: Realm, place: Place, orders: Wires) -> None:
    """Give a node its address, and its routes to all others."""
    hops = orders.hops[number]
    used = sorted(set(hops.values()))
    devices = {link: realm.kernel.link_lookup(ifname=device_name(link))[0] for link in used}
    if len(used) == 1:
        add_routes(realm.kernel, devices[used[0]], place)
        return
    loopback = realm.kernel.link_lookup(ifname="lo")[0]
    realm.kernel.addr("add", index=loopback, address=place.address, prefixlen=32)
    for target, link in hops.items():
        realm.kernel.route(
            "add", dst=target, oif=devices[link], prefsrc=place.address,
            metrics=route_metrics(place.congestion(target), place.window),
        )  # fmt: skip


def device_name(link: int) -> str:
    """Return what a link's device is called at both of its ends."""
    return f"link{link}"


def _pair(number: int, side: int, end: Realm, wires: Realm) -> int:
    """Connect a node to the wires, and return the device there."""
    inner, outer = f"wire{number}-{side}", device_name(number)
    there = {"net_ns_fd": f"/proc/self/fd/{end.namespace}", "address": HARDWARE_ADDRESS}
    peer = {"ifname": outer, "mtu": MTU_BYTES, "txqlen": QUEUE_PACKETS, **there}
    wires.kernel.link(
        "add", ifname=inner, kind="veth", mtu=MTU_BYTES, txqlen=QUEUE_PACKETS, peer=peer
    )
    for realm, name in ((wires, inner), (end, outer)):
        realm.enter()
        turn_offloads_off(realm.kernel, name)
        index = realm.kernel.link_lookup(ifname=name)[0]
        flags = {"flags": _NOARP, "change": _NOARP} if realm is end else {}
        realm.kernel.link("set", index=index, **flags)
        realm.kernel.link("set", index=index, state="up")
    found: int = wires.kernel.link_lookup(ifname=inner)[0]
    return found
