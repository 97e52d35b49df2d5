"""What stands in every namespace of an emulated network, whatever its devices are.

Kernel settings, and a route to each peer that says which congestion control connections to it use.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pyroute2 import IPRoute

from real_runner.errors import RealRunError
from real_runner.links.network import ADDRESSES
from real_runner.links.places import Place

BUFFER_BYTES: Final = 64 << 20
"""What a socket may hold at most: more than any path of 1 Gbit/s and 250 ms has on the way."""

SETTINGS: Final[Mapping[str, str]] = {
    "ipv4/tcp_no_metrics_save": "1",  # else connections know what earlier ones met
    "ipv4/tcp_syn_retries": "20",  # tries: else who connects gives up after 131 s,
    "ipv4/tcp_synack_retries": "20",  # and who is connected to after 63 s, less than a round trip
    "ipv4/tcp_rmem": f"4096 {BUFFER_BYTES // 2} {BUFFER_BYTES}",  # else it grows by round trips
    "ipv4/tcp_wmem": f"4096 65536 {BUFFER_BYTES}",
}
"""Kernel settings of every namespace, below /proc/sys/net."""

FLUID_TIMEOUT_MS: Final = 3000
"""How long a connection that carries a fluid awaits an acknowledgement at least before it sends
again: on its way nothing is ever lost, and much may wait."""
_LOCKED_WINDOW: Final = 1 << 7  # linux/rtnetlink.h: RTAX_CWND, which counts only where locked
_OPEN_SEGMENTS: Final = 10_000


def settle(place: Place) -> None:
    """Set up the calling thread's network namespace for a node: all but its devices.

    Raises `RealRunError` for a congestion control that this kernel has not.
    """
    controls = {place.default, *place.others.values()}
    _refuse_unknown({str(route_metrics(each, place.window)["cc_algo"]) for each in controls})
    keep_silent()
    for name, value in SETTINGS.items():
        apply_setting(name, value)
    with IPRoute() as kernel:
        kernel.link("set", index=kernel.link_lookup(ifname="lo")[0], state="up")


def add_routes(kernel: IPRoute, device: int, place: Place) -> None:
    """Give a node with one device its address there, and its routes to all others over it."""
    kernel.addr("add", index=device, address=place.address, prefixlen=32)
    for target, word in {str(ADDRESSES): place.default, **place.others}.items():
        kernel.route("add", dst=target, oif=device, metrics=route_metrics(word, place.window))


def route_metrics(control: str, window: int) -> dict[str, Any]:
    """Return what a route is to say of connections that take it; ``window`` is in segments.

    That of a fluid is there from the first segment on, after every pause, and for good. So there
    is none of TCP's starting slowly, which the simulator's fluids know nothing of, and none of
    BBR's pacing by what short messages showed it: it takes a message over a round trip for a
    rate, and spreads the next over a third of one.
    """
    if control != "fluid":
        return {"cc_algo": control}
    return {
        "cc_algo": "cubic",
        "initcwnd": window,
        "initrwnd": _OPEN_SEGMENTS,
        "cwnd": window,
        "lock": _LOCKED_WINDOW,
        "rto_min": FLUID_TIMEOUT_MS,
    }


def apply_setting(name: str, value: str) -> None:
    """Write a kernel setting of the calling thread's namespace, where this kernel has it."""
    path = Path("/proc/sys/net", name)
    if path.exists():  # a kernel without IPv6 has no IPv6 to turn off
        path.write_text(value, encoding="ascii")


def keep_silent() -> None:
    """Have the devices of the calling thread's namespace say nothing of their own."""
    for scope in ("all", "default"):
        apply_setting(f"ipv6/conf/{scope}/disable_ipv6", "1")


def _refuse_unknown(wanted: Iterable[str]) -> None:
    path = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
    there = path.read_text(encoding="ascii").split()
    for word in sorted(set(wanted).difference(there)):
        raise RealRunError(
            f"congestion {word!r}: this kernel has {', '.join(there)}; modprobe "
            f"tcp_{word}, or give links another congestion"
        )
