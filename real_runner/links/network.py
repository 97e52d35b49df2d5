"""What a topology asks of emulated links, whatever realises them.

Every channel is a queue in bytes, a serialiser, a loss and a delay with its jitter; packets hop
from channel to channel along the topology's routes, so that shared links and routers are what they
are in it.
"""

import math
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations
from typing import Final, Literal

from real_runner.errors import RealRunError
from topologies.links import Channel, Congestion, Link
from topologies.topology import Topology

MTU_BYTES: Final = 1500
FRAMING_BYTES: Final = 14
"""What a packet takes on the wire besides itself: Ethernet's header, so that goodput is
rate x 1448/1514 as it is on a network card."""
ADDRESSES: Final = IPv4Network("198.18.0.0/15")
"""What is set apart for measuring networks (RFC 2544, section C.2.2)."""
FIRST_ADDRESS: Final = ADDRESSES.network_address + 1
MOST_NODES: Final = 1 << 16
SEGMENT_BYTES: Final = 1448
"""What a segment of TCP with time stamps carries in such a packet."""
LEAST_QUEUE_BYTES: Final = 1 << 16
PATIENCE_OF_TCP_S: Final = 120.0
"""After so long Linux sends again what has not been acknowledged (its TCP_RTO_MAX), so where a
round trip takes longer everything travels twice, and no connection comes about."""
FLUID_QUEUE_BYTES: Final = 64 << 20
"""What waits before a link that carries a fluid: all that a socket may send ahead."""


Control = Congestion | Literal["fluid"]
"""How a connection's window moves; that of a fluid is wide and never moves."""


@dataclass(frozen=True, slots=True)
class Network:
    """Emulated links for a topology; node i of it has address `FIRST_ADDRESS` + i.

    What a link's ``message_bytes``, ``coding_bytes`` and ``transport`` describe is there by itself:
    real messages are framed, coded, and carried by TCP.

    Raises `RealRunError` for more nodes than there are addresses.
    """

    topology: Topology

    def __post_init__(self) -> None:
        count = len(self.topology.nodes)
        if count > MOST_NODES:
            raise RealRunError(
                f"topology {self.topology.name!r}: {count} nodes; emulated links connect at most "
                f"{MOST_NODES}"
            )

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of all nodes, routers too, each with a namespace of its own."""
        return tuple(node.name for node in self.topology.nodes)

    def address(self, node: str) -> str:
        """Return a node's address."""
        return str(FIRST_ADDRESS + self.nodes.index(node))

    def congestion(self, source: str, target: str) -> Control:
        """Return how TCP controls congestion from one node to another, as the simulator has it.

        CUBIC where any link on the way asks for it. Links that carry fluids ask for nothing:
        connections over these alone have one wide window from the first moment on (see
        `fluid_segments`). Where such links lose packets, by chance or since their queue is a
        short one, it is BBR that minds least.
        """
        channels = self.topology.route(source, target).channels
        links = [self.topology.links[channel // 2] for channel in channels]
        asked = {link.congestion for link in links if link.transport == "tcp"}
        if "cubic" in asked:
            return "cubic"
        may_lose = any(link.loss or link.queue_bytes is not None for link in links)
        return "bbr" if asked or may_lose else "fluid"

    def fluid_segments(self, source: str) -> int:
        """Return the window, in segments, of a node's connections that carry fluids.

        It is what its widest way has under way to and fro, and as much again to wait, so that
        no acknowledgement is awaited and none waits behind more than that.
        """
        others = (node for node in self.nodes if node != source)
        window_bytes = max((self._way_bytes(source, other) for other in others), default=0.0)
        return math.ceil((window_bytes + max(window_bytes, LEAST_QUEUE_BYTES)) / SEGMENT_BYTES)

    def longest_round_trip(self) -> tuple[float, str, str]:
        """Return how long the longest way there and back takes, in seconds, and between whom."""
        ends = [node.name for node in self.topology.nodes if node.role != "router"]
        ways = (
            (self.topology.route(a, b).delay_s + self.topology.route(b, a).delay_s, a, b)
            for a, b in combinations(ends, 2)
        )
        return max(ways, default=(0.0, "", ""))

    def _way_bytes(self, source: str, target: str) -> float:
        """Return what is under way from one node to another and back at the full rate."""
        there, back = self.topology.route(source, target), self.topology.route(target, source)
        rate = min(map(self._peak_bits_per_s, there.channels))
        return rate / 8 * (there.delay_s + back.delay_s)

    def _peak_bits_per_s(self, channel: int) -> float:
        schedule = self.topology.links[channel // 2].schedule_of(back=channel % 2 == 1)
        believed = self.topology.channels[channel].rate_bits_per_s
        return believed if schedule is None else schedule.peak_bits_per_s


def queue_bytes(link: Link, channel: Channel) -> int:
    """Return what waits before a channel at most: as its link says, or what `Link` promises."""
    if link.queue_bytes is not None:
        return link.queue_bytes
    if link.transport == "fluid" and not link.loss:
        return FLUID_QUEUE_BYTES
    on_the_way = channel.rate_bits_per_s * 2 * channel.delay_s / 8
    return max(LEAST_QUEUE_BYTES, round(on_the_way))
