"""A node's place in an emulated network: a namespace with one device, whose packets are ours.

Nothing here has a name outside: device and namespace live as long as somebody holds their
descriptors, so whatever ends the link process and the workers, however, ends them too.
"""

import fcntl
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyroute2 import IPRoute

from real_runner.errors import RealRunError
from real_runner.links.entering import new_namespace
from real_runner.links.network import ADDRESSES, MTU_BYTES
from real_runner.links.orders import PlaceOrder

TUN: Final = Path("/dev/net/tun")
_TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
_IFF_TUN_NO_PI: Final = 0x0001 | 0x1000
QUEUE_PACKETS: Final = 10_000
"""What a device holds until the link process reads it: so much that nothing is lost before."""
BUFFER_BYTES: Final = 64 << 20
"""What a socket may hold at most: more than any path of 1 Gbit/s and 250 ms has on the way."""

SETTINGS: Final[Mapping[str, str]] = {
    "ipv6/conf/all/disable_ipv6": "1",  # it would chat on every device
    "ipv4/tcp_no_metrics_save": "1",  # else connections know what earlier ones met
    "ipv4/tcp_rmem": f"4096 131072 {BUFFER_BYTES}",
    "ipv4/tcp_wmem": f"4096 65536 {BUFFER_BYTES}",
}
"""Kernel settings of every namespace, below /proc/sys/net."""


@dataclass(frozen=True, slots=True)
class Place:
    """Descriptors of a node's namespace and of its device, which reads without waiting."""

    namespace: int
    device: int


def make_place(run: str, order: PlaceOrder) -> Place:
    """Make a node's namespace and device, and stay in there.

    Raises `RealRunError` where this kernel or user cannot.
    """
    _refuse_unknown({order.default, *order.others.values()})
    namespace = new_namespace()
    for name, value in SETTINGS.items():
        _set(name, value)
    device_name = f"ts-{run}"[:15]
    device = _open_device(device_name)
    with IPRoute() as kernel:
        kernel.link("set", index=kernel.link_lookup(ifname="lo")[0], state="up")
        index = kernel.link_lookup(ifname=device_name)[0]
        kernel.link("set", index=index, mtu=MTU_BYTES, txqlen=QUEUE_PACKETS, state="up")
        kernel.addr("add", index=index, address=order.address, prefixlen=32)
        for target, word in {str(ADDRESSES): order.default, **order.others}.items():
            kernel.route("add", dst=target, oif=index, metrics={"cc_algo": word})
    return Place(namespace, device)


def _refuse_unknown(wanted: Iterable[str]) -> None:
    path = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
    there = path.read_text(encoding="ascii").split()
    for word in sorted(set(wanted).difference(there)):
        raise RealRunError(
            f"userspace links: congestion {word!r}: this kernel has {', '.join(there)}; modprobe "
            f"tcp_{word}, or give links another congestion"
        )


def _open_device(name: str) -> int:
    try:
        device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_NO_PI))
    except OSError as error:
        raise RealRunError(
            f"userspace links: {TUN}: {error.strerror}; modprobe tun, and run as root"
        ) from error
    return device


def _set(name: str, value: str) -> None:
    path = Path("/proc/sys/net", name)
    if path.exists():  # a kernel without IPv6 has no IPv6 to turn off
        path.write_text(value, encoding="ascii")
