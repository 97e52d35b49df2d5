"""Whether this process may make a network of its own, and whether that can have netem.

Started as ``python -m experiments.inside.trial network|netem``: exit status 0 where it can. Talks
to the kernel without a library (man 7 rtnetlink), so that it can before anything is installed.
"""

import ctypes
import errno
import os
import socket
import struct
import sys
from typing import Final

_CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_RTM_NEWQDISC, _NLMSG_ERROR = 36, 2  # linux/rtnetlink.h, linux/netlink.h
_REQUEST_ACK_CREATE: Final = 0x1 | 0x4 | 0x400
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TC_H_ROOT: Final = 0xFFFFFFFF
_LOOPBACK_INDEX: Final = 1
_LIMIT_PACKETS: Final = 1000


def main(wanted: str) -> str:
    """Return why there is no ``network`` or no ``netem``; nothing where there is."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        return reason if wanted == "network" else f"cannot be tried: {reason}"
    return _ask_for_netem() if wanted == "netem" else ""


def _ask_for_netem() -> str:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.sendto(_request(), (0, 0))
        answer = kernel.recv(4096)
    kind, number = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind != _NLMSG_ERROR:
        return f"netlink answered with a message of kind {kind}"
    if number == -errno.ENOENT:
        return "this kernel has none"
    return os.strerror(-number) if number else ""


def _request() -> bytes:
    """Return a request for netem on the loopback device (linux/pkt_sched.h: tc_netem_qopt)."""
    options = struct.pack("=6I", 0, _LIMIT_PACKETS, 0, 0, 0, 0)
    head = struct.pack("=BxxxiIII", socket.AF_UNSPEC, _LOOPBACK_INDEX, 0, _TC_H_ROOT, 0)
    body = head + _attribute(_TCA_KIND, b"netem\0") + _attribute(_TCA_OPTIONS, options)
    return struct.pack("=IHHII", 16 + len(body), _RTM_NEWQDISC, _REQUEST_ACK_CREATE, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


if __name__ == "__main__":
    if reason := main(sys.argv[1]):
        sys.exit(reason)
