"""A link, and the two channels that it is: one per direction."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from topologies.errors import TopologyError, require_at_least_0, suggestion
from topologies.schedules import Schedule

Duplex = Literal["full", "half"]
Carriage = Literal["fluid", "tcp"]
Congestion = Literal["cubic", "bbr"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One direction of a link; `index` is its place in `Topology.channels`."""

    index: int
    source: str
    target: str
    rate_bits_per_s: float
    delay_s: float
    energy_j_per_bit: float = 0.0

    @property
    def name(self) -> str:
        """The ends in the direction of travel: 'edge->isp'."""
        return f"{self.source}->{self.target}"


@dataclass(frozen=True, slots=True)
class Link:
    """A connection of two nodes; its delay is one-way propagation.

    `rate_bits_per_s`, `energy_j_per_bit` and `schedule` hold from source to target; the `back_`
    ones hold the other way and default to the same. A `schedule` replaces rate and delay from time
    0 on; the rate beside it is what the link is believed to have, its delay is what routes go by.

    `message_bytes` is what each message costs the link beyond its own bytes: framing, and the work
    of handling it on both ends, as the bytes that could have passed meanwhile. So it shares the
    rate with everything else. `coding_bytes` is what a message costs more that a codec writes at
    one end and reads at the other, as tokens are and pixels are not. Of the links of a route the
    largest of each counts, once. These are a matter of time alone: what is paid for, powered and
    seen is the payload.

    `duplex`: directions of a `half` duplex link share one rate, as Wi-Fi shares its airtime.
    `loss` is the probability that a packet is lost. A packet's delay is drawn evenly from within
    `jitter_s` of what it would be, but no packet overtakes another. `transport` says how bytes are
    carried: `fluid` ones share the rate from the first moment, `tcp` runs a connection of the class
    `congestion`, whose window counts. `queue_bytes` is what waits before the link at most, by
    default as much as is on the way to and fro: one bandwidth-delay product, 64 KiB at
    least. Fluids wait without a bound of their own.

    Raises TopologyError: a self loop, a rate that is not positive, a negative delay, energy or
    message, more jitter than delay, an unknown word, a loss that is no probability below 1, a
    half-duplex link with `back_` rates.
    """

    source: str
    target: str
    rate_bits_per_s: float
    delay_s: float
    back_rate_bits_per_s: float | None = None
    energy_j_per_bit: float = 0.0
    back_energy_j_per_bit: float | None = None
    duplex: Duplex = "full"
    loss: float = 0.0
    jitter_s: float = 0.0
    transport: Carriage = "fluid"
    congestion: Congestion = "cubic"
    queue_bytes: int | None = None
    schedule: Schedule | None = None
    back_schedule: Schedule | None = None
    message_bytes: int = 0
    back_message_bytes: int | None = None
    coding_bytes: int = 0
    back_coding_bytes: int | None = None

    def __post_init__(self) -> None:
        place = f"link {self.name}"
        if self.source == self.target:
            raise TopologyError(f"{place}: a node needs no link to itself; remove it")
        for name in ("rate_bits_per_s", "back_rate_bits_per_s"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < math.inf:
                raise TopologyError(f"{place}: {name} is {rate!r}; it must be finite and above 0")
        for name in _AMOUNTS:
            value = getattr(self, name)
            if value is not None:
                require_at_least_0(place, name, value)
        if self.jitter_s > self.delay_s:
            raise TopologyError(
                f"{place}: jitter_s is {self.jitter_s!r}, more than delay_s, {self.delay_s!r}; no "
                "packet arrives before it was sent"
            )
        if not 0 <= self.loss < 1:
            raise TopologyError(f"{place}: loss is {self.loss!r}; give a probability below 1")
        _check_words(self)

    @property
    def name(self) -> str:
        """The ends, in the link's own direction: 'edge->isp'."""
        return f"{self.source}->{self.target}"

    def schedule_of(self, *, back: bool) -> Schedule | None:
        """Return the schedule of one direction, `None` where rate and delay never change."""
        return self.back_schedule if back and self.back_schedule is not None else self.schedule

    def message_bytes_of(self, *, back: bool) -> int:
        """Return what a message in one direction costs beyond its own bytes."""
        other = self.back_message_bytes if back else None
        return self.message_bytes if other is None else other

    def coding_bytes_of(self, *, back: bool) -> int:
        """Return what a message that a codec writes costs more in one direction."""
        other = self.back_coding_bytes if back else None
        return self.coding_bytes if other is None else other

    def channels(self, number: int) -> tuple[Channel, Channel]:
        """Return the two directions of the topology's link with this number."""
        back_rate, back_energy = self.back_rate_bits_per_s, self.back_energy_j_per_bit
        back_rate = self.rate_bits_per_s if back_rate is None else back_rate
        back_energy = self.energy_j_per_bit if back_energy is None else back_energy
        return (
            Channel(2 * number, self.source, self.target, self.rate_bits_per_s, self.delay_s,
                    self.energy_j_per_bit),
            Channel(2 * number + 1, self.target, self.source, back_rate, self.delay_s,
                    back_energy),
        )  # fmt: skip


_AMOUNTS: Final = (
    "delay_s", "jitter_s", "energy_j_per_bit", "back_energy_j_per_bit", "queue_bytes",
    "message_bytes", "back_message_bytes", "coding_bytes", "back_coding_bytes",
)  # fmt: skip

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "duplex": get_args(Duplex),
    "transport": get_args(Carriage),
    "congestion": get_args(Congestion),
}


def _check_words(link: Link) -> None:
    place = f"link {link.name}"
    for name, known in _WORDS.items():
        word = getattr(link, name)
        if word not in known:
            raise TopologyError(f"{place}: {name} {word!r} is unknown; {suggestion(word, known)}")
    for name in ("back_rate_bits_per_s", "back_schedule"):
        if link.duplex == "half" and getattr(link, name) is not None:
            raise TopologyError(
                f"{place}: a half-duplex link has one rate for both directions; remove {name}"
            )
