"""Offloads of devices, off and read back: a buffer of 64 kB would count as one packet for netem.

TCP hands its device such buffers even where that has no offloads (``sk_setup_caps`` in
net/core/sock.c of Linux 6.1), so devices are also told to take one segment per buffer at most.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, Final

from pyroute2 import IPRoute
from pyroute2.ethtool.ioctl import IoctlEthtool

from real_runner.errors import RealRunError

OFF: Final = "off: segmentation and GRO of every device; at most one segment per buffer"


def turn_offloads_off(kernel: IPRoute, name: str) -> None:
    """Turn the offloads of a device of the calling thread's namespace off.

    Raises `RealRunError` where one stays on.
    """
    index = kernel.link_lookup(ifname=name)[0]
    kernel.link("set", index=index, gso_max_segs=1)
    with closing(IoctlEthtool(name)) as device:
        features = device.get_features()
        for feature in _on(features):
            features[feature] = False
        device.set_features(features)
        left = list(_on(device.get_features()))
    if left or kernel.get_links(index)[0].get_attr("IFLA_GSO_MAX_SEGS") != 1:
        raise RealRunError(
            f"device {name}: offloads stay on ({', '.join(left) or 'gso_max_segs'})"
            ", of which netem would count many packets as one; run with --links userspace"
        )


def _on(features: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    for name, is_on, *_ in features:
        joins = name.endswith(("segmentation", "fragmentation")) or "gro" in name or "gso" in name
        if is_on and (joins or name == "rx-lro"):
            yield name
