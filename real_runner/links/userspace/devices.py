"""TUN and TAP devices: what the kernel sends over them is ours to read, and the other way about.

A device lives as long as somebody holds its descriptor, so whatever ends the link process, however,
ends its devices too.
"""

import fcntl
import math
import os
import struct
from pathlib import Path
from typing import Final

from real_runner.errors import RealRunError
from real_runner.links.network import SEGMENT_BYTES
from real_runner.links.settling import BUFFER_BYTES

TUN: Final = Path("/dev/net/tun")
QUEUE_PACKETS: Final = math.ceil(BUFFER_BYTES / SEGMENT_BYTES)
"""What a device holds until the link process reads it: all that a socket may send ahead, so that
nothing is lost before a link."""
_TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
_IFF_TUN, _IFF_TAP, _IFF_NO_PI = 0x0001, 0x0002, 0x1000


def open_device(name: str, *, frames: bool = False) -> int:
    """Make a device in the calling thread's namespace; its descriptor never makes a reader wait.

    It carries IP packets, or Ethernet ``frames``. Raises `RealRunError` where that may not be.
    """
    flags = (_IFF_TAP if frames else _IFF_TUN) | _IFF_NO_PI
    try:
        device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except OSError as error:
        raise RealRunError(f"{TUN}: {error.strerror}; modprobe tun, and run as root") from error
    return device
