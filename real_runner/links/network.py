"""What a topology asks of emulated links, as the link process reads it.

Every channel is a queue in bytes, a serialiser, a loss and a delay; packets hop from channel to
channel along the topology's routes, so that shared links and routers are what they are in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import chain
from typing import Final

from real_runner.errors import RealRunError
from topologies.links import Channel, Congestion, Link
from topologies.schedules import Schedule
from topologies.topology import Topology

MTU_BYTES: Final = 1500
FRAMING_BYTES: Final = 14
"""What a packet takes on the wire besides itself: Ethernet's header, so that goodput is
rate x 1448/1514 as it is on a network card."""
ADDRESSES: Final = IPv4Network("198.18.0.0/15")
"""What is set apart for measuring networks (RFC 2544, section C.2.2)."""
FIRST_ADDRESS: Final = ADDRESSES.network_address + 1
MOST_NODES: Final = 1 << 16
LEAST_QUEUE_BYTES: Final = 1 << 16
NS_PER_S: Final = 1_000_000_000


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
                f"topology {self.topology.name!r}: {count} nodes; userspace links connect at most "
                f"{MOST_NODES}"
            )

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of all nodes, routers too, each with a namespace of its own."""
        return tuple(node.name for node in self.topology.nodes)

    def address(self, node: str) -> str:
        """Return a node's address."""
        return str(FIRST_ADDRESS + self.nodes.index(node))

    def congestion(self, source: str, target: str) -> Congestion:
        """Return how TCP controls congestion from one node to another, as the simulator has it.

        CUBIC where any link on the way asks for it; links that carry fluids ask for nothing, and
        BBR is what shares them from the first moments on.
        """
        links = (self.topology.links[i // 2] for i in self.topology.route(source, target).channels)
        asked = {link.congestion for link in links if link.transport == "tcp"}
        return "cubic" if "cubic" in asked else "bbr"

    def text(self) -> str:
        """Return all of it as the link process reads it (see forwarder.c)."""
        return "\n".join(chain([self._first_line()], self._channels(), self._routes(), [""]))

    def _first_line(self) -> str:
        counts = (len(self.nodes), len(self.topology.channels), len(self.topology.channels))
        return " ".join(map(str, ("network", *counts, FRAMING_BYTES, int(FIRST_ADDRESS))))

    def _channels(self) -> Iterator[str]:
        numbers = {name: number for number, name in enumerate(self.nodes)}
        for channel in self.topology.channels:
            link = self.topology.links[channel.index // 2]
            schedule = link.schedule_of(back=bool(channel.index % 2))
            server = channel.index - channel.index % 2 if link.duplex == "half" else channel.index
            period_ns = round((schedule.period_s or 0) * NS_PER_S) if schedule else 0
            steps = list(_steps(schedule, channel.delay_s)) if schedule else []
            values = (
                server, numbers[channel.target], repr(channel.rate_bits_per_s),
                round(channel.delay_s * NS_PER_S), queue_bytes(link, channel),
                int(link.loss * 2**64), period_ns, len(steps), *steps,
            )  # fmt: skip
            yield " ".join(map(str, ("channel", *values)))

    def _routes(self) -> Iterator[str]:
        for i, source in enumerate(self.nodes):
            for j, target in enumerate(self.nodes):
                if i != j:
                    channels = self.topology.route(source, target).channels
                    yield " ".join(map(str, ("route", i, j, len(channels), *channels)))


def queue_bytes(link: Link, channel: Channel) -> int:
    """Return what waits before a channel at most: as its link says, or what `Link` promises."""
    if link.queue_bytes is not None:
        return link.queue_bytes
    on_the_way = channel.rate_bits_per_s * 2 * channel.delay_s / 8
    return max(LEAST_QUEUE_BYTES, round(on_the_way))


def _steps(schedule: Schedule, delay_s: float) -> Iterator[str]:
    for index, start_s in enumerate(schedule.starts_s):
        step_delay_s = schedule.delays_s[index] if schedule.delays_s else delay_s
        rate = schedule.rates_bits_per_s[index]
        yield f"{round(start_s * NS_PER_S)} {rate!r} {round(step_delay_s * NS_PER_S)}"
