"""What an assignment scheme decides on, and what it must keep clouds from seeing."""

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import NamedTuple

from workloads.sam.geometry import Window
from workloads.stage import Shard


class Limits(NamedTuple):
    """Fractions of the image that one cloud, and any ``coalition`` of them together, may see.

    With ``by_provider`` all clouds of one provider count as one. Where windows are kept ``apart``
    none that touch go to one cloud. ``most_usd`` bounds what all clouds together are paid.
    """

    cap: float = 1.0
    coalition: int = 1
    coalition_cap: float = 1.0
    by_provider: bool = False
    apart: bool = False
    most_usd: float = inf


NO_LIMITS = Limits()

NOTHING_SHOWN: Mapping[str, frozenset[Window]] = MappingProxyType({})


class Leg(NamedTuple):
    """The way of a shard to a node or back: alone in the world, so many seconds on it.

    ``channels`` are those of the topology that it passes, each with its bits per second.
    """

    size_bytes: float = 0.0
    delay_s: float = 0.0
    sending_s: float = 0.0
    channels: tuple[tuple[int, float], ...] = ()

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.delay_s + self.sending_s


class Trip(NamedTuple):
    """One round of a shard on a node, and what the node is paid for it."""

    up: Leg
    compute_s: float
    down: Leg
    usd: float = 0.0

    @property
    def seconds(self) -> float:
        """All of it, alone in the world."""
        return self.up.seconds + self.compute_s + self.down.seconds


class Task(NamedTuple):
    """What a scheme decides on.

    ``cost_s(node, shard)`` predicts the seconds until ``node`` has returned ``shard``, alone in
    the world; ``seed`` is for schemes that draw. ``trips(node, shard)`` tells, round by round, what
    that is made of, for schemes that look at networks and prices, and ``providers`` whose each
    node is. ``limits`` and ``shown``, the windows that nodes
    (others than ``nodes``, too) were shown of the same image before, are for schemes that keep
    what clouds see within bounds.
    """

    windows: tuple[Window, ...]
    nodes: tuple[str, ...]
    cost_s: Callable[[str, Shard], float]
    seed: int
    limits: Limits = NO_LIMITS
    shown: Mapping[str, frozenset[Window]] = NOTHING_SHOWN
    trips: Callable[[str, Shard], tuple[Trip, ...]] | None = None
    providers: Mapping[str, str] = MappingProxyType({})

    def rounds_of(self, node: str, shard: Shard) -> tuple[Trip, ...]:
        """Return the trips of a shard; where nothing is known of them, one that costs as much."""
        if self.trips is None:
            return (Trip(Leg(), self.cost_s(node, shard), Leg()),)
        return self.trips(node, shard)
