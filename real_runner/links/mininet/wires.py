"""Mininet's links, of classes of our own: what is between the two devices at a link's ends."""

from collections.abc import Sequence
from typing import Any

from mininet.link import Link
from pyroute2 import IPRoute

from real_runner.links.netem.offloads import turn_offloads_off
from real_runner.links.userspace.devices import QUEUE_PACKETS, open_device


class TapLink(Link):  # type: ignore[misc] # Mininet has no types
    """A link whose ends are TAP devices; ``devices`` are their descriptors, for who forwards."""

    def __init__(self, *ends: Any, number: int, **parameters: Any) -> None:
        self.number = number
        self.devices: Sequence[int] = ()
        super().__init__(*ends, **parameters)

    def makeIntfPair(self, *names_addresses_nodes: Any, **_: Any) -> None:  # noqa: N802 - Mininet's
        """Make the devices, and move each to its node."""
        name1, name2, _address1, _address2, node1, node2 = names_addresses_nodes
        self.devices = [_tap(name1, node1), _tap(name2, node2)]


class NetemLink(Link):  # type: ignore[misc] # see above
    """A link of two pairs of veth devices, whose inner ones, ``inner``, are to be joined."""

    def __init__(self, *ends: Any, number: int, **parameters: Any) -> None:
        self.number = number
        self.inner: tuple[str, str] = (f"wire{number}-0", f"wire{number}-1")
        super().__init__(*ends, **parameters)

    def makeIntfPair(self, *names_addresses_nodes: Any, **_: Any) -> None:  # noqa: N802 - Mininet's
        """Make the pairs, and move each outer device to its node."""
        name1, name2, _address1, _address2, node1, node2 = names_addresses_nodes
        with IPRoute() as kernel:
            for inner, outer, node in zip(self.inner, (name1, name2), (node1, node2), strict=True):
                kernel.link("add", ifname=inner, kind="veth", peer={"ifname": outer})
                turn_offloads_off(kernel, inner)
                kernel.link("set", index=kernel.link_lookup(ifname=inner)[0], state="up")
                _place(kernel, outer, node)


def _tap(name: str, node: Any) -> int:
    device = open_device(name, frames=True)
    with IPRoute() as kernel:
        index = kernel.link_lookup(ifname=name)[0]
        kernel.link("set", index=index, txqlen=QUEUE_PACKETS)
        _place(kernel, name, node)
    return device


def _place(kernel: IPRoute, name: str, node: Any) -> None:
    """Turn a device's offloads off, and move it to its node, where that has a namespace."""
    turn_offloads_off(kernel, name)
    if node.inNamespace:
        index = kernel.link_lookup(ifname=name)[0]
        kernel.link("set", index=index, net_ns_fd=f"/proc/{node.pid}/ns/net")
