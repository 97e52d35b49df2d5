"""What the forwarder is told when it starts: channels and routes, as lines of a file.

Packets are routed from node to node (`routed_text`), or, where somebody else does the routing,
handed as frames from one end of a link to its other one (`wired_text`).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from real_runner.links.network import FIRST_ADDRESS, FRAMING_BYTES, Network, queue_bytes
from topologies.links import Channel
from topologies.schedules import Schedule

NETWORK: Final = "links.txt"
NS_PER_S: Final = 1_000_000_000


def routed_text(network: Network) -> str:
    """Return the whole network, with a device for each node; see forwarder.c."""
    numbers = {name: number for number, name in enumerate(network.nodes)}
    channels = network.topology.channels
    return _text(
        "packets",
        FRAMING_BYTES,
        range(len(numbers)),
        (_channel(network, channel, numbers[channel.target]) for channel in channels),
        _routes(network),
    )


def wired_text(network: Network) -> str:
    """Return the links alone: the ends of link i are devices 2 i (its source) and 2 i + 1.

    Frames have their Ethernet header already.
    """
    channels = network.topology.channels
    return _text(
        "frames",
        0,
        (network.nodes.index(channel.source) for channel in channels),
        (_channel(network, channel, channel.index ^ 1) for channel in channels),
        (f"route {end} {end ^ 1} 1 {end}" for end in range(len(channels))),
    )


def _text(
    what: str,
    framing_bytes: int,
    owners: Iterable[int],
    channels: Iterable[str],
    routes: Iterable[str],
) -> str:
    """Return all of it; ``owners`` are the numbers of the nodes to which devices belong."""
    lines = list(channels)
    devices = [f"device {node}" for node in owners]
    counts = (len(devices), len(lines), len(lines))
    first = ("network", what, *counts, framing_bytes, int(FIRST_ADDRESS))
    return "\n".join([" ".join(map(str, first)), *lines, *devices, *routes, ""])


def _channel(network: Network, channel: Channel, device: int) -> str:
    link = network.topology.links[channel.index // 2]
    schedule = link.schedule_of(back=bool(channel.index % 2))
    server = channel.index - channel.index % 2 if link.duplex == "half" else channel.index
    period_ns = round((schedule.period_s or 0) * NS_PER_S) if schedule else 0
    steps = list(_steps(schedule, channel.delay_s)) if schedule else []
    values = (
        server, device, repr(channel.rate_bits_per_s), round(channel.delay_s * NS_PER_S),
        round(link.jitter_s * NS_PER_S), queue_bytes(link, channel), int(link.loss * 2**64),
        period_ns, len(steps), *steps,
    )  # fmt: skip
    return " ".join(map(str, ("channel", *values)))


def _steps(schedule: Schedule, delay_s: float) -> Iterator[str]:
    for index, start_s in enumerate(schedule.starts_s):
        step_delay_s = schedule.delays_s[index] if schedule.delays_s else delay_s
        rate = schedule.rates_bits_per_s[index]
        yield f"{round(start_s * NS_PER_S)} {rate!r} {round(step_delay_s * NS_PER_S)}"


def _routes(network: Network) -> Iterator[str]:
    for i, source in enumerate(network.nodes):
        for j, target in enumerate(network.nodes):
            if i != j:
                channels = network.topology.route(source, target).channels
                yield " ".join(map(str, ("route", i, j, len(channels), *channels)))
