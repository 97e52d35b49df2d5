"""A channel's two queueing disciplines: where they are set, changed and read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pyroute2 import IPRoute
from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTM_NEWQDISC
from pyroute2.netlink.rtnl.tcmsg import sched_netem, tcmsg

from real_runner.links.netem.orders import Shape

ROOT: Final = 0xFFFFFFFF
HANDLE: Final = 0x10000
INGRESS: Final = 0xFFFF0000
_NEW: Final = NLM_F_CREATE | NLM_F_EXCL
_SEQUENCE: Final = 1 << 30
"""Of messages of our own making, whose answers nobody else takes."""
UNBOUNDED_PACKETS: Final = 1_000_000
UNBOUNDED_BYTES_PER_S: Final = 2**32 - 1
"""A rate makes netem keep the order of packets that jitter (``netem_enqueue`` of sch_netem.c)."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a queueing discipline has done: bytes and packets it let pass, and those it dropped."""

    carried_bytes: int = 0
    packets: int = 0
    dropped: int = 0

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(
            self.carried_bytes - other.carried_bytes,
            self.packets - other.packets,
            self.dropped - other.dropped,
        )


def has_netem() -> bool:
    """Return whether this kernel has netem; tries in the calling thread's namespace."""
    with IPRoute() as kernel:
        index = kernel.link_lookup(ifname="lo")[0]
        try:
            kernel.tc("add", "netem", index, HANDLE, limit=1)
        except NetlinkError:
            return False
        kernel.tc("del", "netem", index, HANDLE)
        return True


def serialise(kernel: IPRoute, device: int, shape: Shape, *, again: bool = False) -> None:
    """Queue and serialise what is sent over a device, or do so as ``shape`` says from now on.

    A rate of 0 loses every packet.
    """
    _set(
        kernel, device, 0 if again else _NEW, limit=shape.queue_packets,
        rate=max(1, round(shape.rate_bits_per_s / 8)),
        loss=100 if shape.rate_bits_per_s <= 0 else 0,
    )  # fmt: skip


def propagate(kernel: IPRoute, device: int, shape: Shape) -> None:
    """Delay and lose what is sent over a device."""
    _set(
        kernel, device, _NEW, limit=UNBOUNDED_PACKETS, rate=UNBOUNDED_BYTES_PER_S,
        delay=round(shape.delay_s * 1e6), jitter=round(shape.jitter_s * 1e6), loss=100 * shape.loss,
    )  # fmt: skip


def _set(kernel: IPRoute, device: int, flags: int, **parameters: float) -> None:
    """Send the kernel what pyroute2's `tc` would, but for a rate of its own that makes it refuse.

    That takes netem's ``rate`` for an attribute of every discipline as well (pyroute2 0.9.7).
    """
    message = tcmsg()
    message.update(index=device, handle=HANDLE, parent=ROOT)
    options = sched_netem.get_parameters(parameters)
    message["attrs"] = [("TCA_KIND", "netem"), ("TCA_OPTIONS", options)]
    kernel.put(message, RTM_NEWQDISC, NLM_F_REQUEST | NLM_F_ACK | flags, msg_seq=_SEQUENCE)
    kernel.get(msg_seq=_SEQUENCE)


def redirect(kernel: IPRoute, source: int, target: int) -> None:
    """Send over one device whatever comes in from another."""
    action = {"kind": "mirred", "direction": "egress", "action": "redirect", "ifindex": target}
    kernel.tc("add", "ingress", source, INGRESS)
    kernel.tc("add-filter", "matchall", source, parent=INGRESS, prio=1, action=action)


def counts(kernel: IPRoute) -> dict[int, Counts]:
    """Return what the disciplines of all devices of a namespace have done, by device."""
    return dict(_counts(kernel.get_qdiscs()))


def _counts(found: Any) -> Iterator[tuple[int, Counts]]:
    for each in found:
        if each["parent"] == ROOT and each.get_attr("TCA_KIND") == "netem":
            statistics = each.get_attr("TCA_STATS2")
            basic = statistics.get_attr("TCA_STATS_BASIC")
            queue = statistics.get_attr("TCA_STATS_QUEUE")
            yield each["index"], Counts(basic["bytes"], basic["packets"], queue["drops"])
