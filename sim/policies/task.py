"""What an assignment scheme decides on, and what it must keep clouds from seeing."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from workloads.sam.geometry import Window
from workloads.stage import Shard


class Limits(NamedTuple):
    """Fractions of the image that one cloud, and any ``coalition`` of them together, may see."""

    cap: float = 1.0
    coalition: int = 1
    coalition_cap: float = 1.0


NO_LIMITS = Limits()

NOTHING_SHOWN: Mapping[str, frozenset[Window]] = MappingProxyType({})


class Task(NamedTuple):
    """What a scheme decides on.

    ``cost_s(node, shard)`` predicts the seconds until ``node`` has returned ``shard``, alone in
    the world; ``seed`` is for schemes that draw. ``limits`` and ``shown``, the windows that nodes
    (others than ``nodes``, too) were shown of the same image before, are for schemes that keep
    what clouds see within bounds.
    """

    windows: tuple[Window, ...]
    nodes: tuple[str, ...]
    cost_s: Callable[[str, Shard], float]
    seed: int
    limits: Limits = NO_LIMITS
    shown: Mapping[str, frozenset[Window]] = NOTHING_SHOWN
