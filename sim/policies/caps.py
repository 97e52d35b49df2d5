"""Which assignments keep what clouds see of one image within bounds.

No cloud is given two windows that touch, none sees more than ``cap`` of the image, and no
``coalition`` of them more than ``coalition_cap`` together. What one was shown before counts, too:
after a loss it must not end up with more. A coalition is taken to see the sum of what its clouds
see: that is what it does see as long as no window was sent twice, and else more.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from sim.policies.task import Task
from workloads.sam.geometry import Window, adjacent
from workloads.stage import Shard

TOLERANCE = 1e-9
"""Sums of fractions may miss a bound that they equal by so much."""


class Rules:
    """The bounds of a task; ``place`` is that of a node among the task's."""

    def __init__(self, task: Task) -> None:
        self.limits = task.limits
        self.shown = [
            frozenset(window.index for window in task.shown.get(node, ())) for node in task.nodes
        ]
        known = {window for shown in task.shown.values() for window in shown} | set(task.windows)
        self.fractions = {window.index: window.fraction for window in known}
        self.touching = {window.index: _neighbours(window, known) for window in known}
        self.elsewhere = [
            sum(window.fraction for window in shown)
            for node, shown in task.shown.items()
            if node not in task.nodes
        ]

    def seen(self, place: int, shard: Iterable[int] = ()) -> float:
        """Return the fraction that a node has seen once it has a shard, too."""
        return sum(self.fractions[index] for index in self.shown[place].union(shard))

    def may_have(self, place: int, window: int) -> bool:
        """Return whether a node may have a window, if it gets no other."""
        if window in self.shown[place]:
            return True
        fits = self.seen(place, (window,)) <= self.limits.cap + TOLERANCE
        return fits and not self.touching[window] & self.shown[place]

    def may_add(self, place: int, shard: Shard, window: int, others: Sequence[float]) -> bool:
        """Return whether a node with a shard may have a window, too.

        ``others`` are what all other nodes have seen, those outside of the task included.
        """
        if window in self.shown[place]:
            return True
        if not self.touching[window].isdisjoint(self.shown[place].union(shard)):
            return False
        seen = self.seen(place, (*shard, window))
        together = sum(sorted([seen, *others])[-self.limits.coalition :])
        return (
            seen <= self.limits.cap + TOLERANCE
            and together <= self.limits.coalition_cap + TOLERANCE
        )

    def keep(self, shards: Sequence[Shard]) -> bool:
        """Return whether an assignment, complete or not, is within all bounds."""
        seen = [self.seen(place, shard) for place, shard in enumerate(shards)]
        together = sum(sorted([*seen, *self.elsewhere])[-self.limits.coalition :])
        return (
            max(seen, default=0.0) <= self.limits.cap + TOLERANCE
            and together <= self.limits.coalition_cap + TOLERANCE
            and not any(self._touches(place, shard) for place, shard in enumerate(shards))
        )

    def _touches(self, place: int, shard: Shard) -> bool:
        """Return whether a shard shows a node a window beside another; old ones are as they are."""
        shown = self.shown[place]
        new = [index for index in shard if index not in shown]
        return any(self.touching[index] & shown for index in new) or any(
            two in self.touching[one] for one, two in combinations(new, 2)
        )


def _neighbours(window: Window, known: Iterable[Window]) -> frozenset[int]:
    return frozenset(other.index for other in known if adjacent(window, other))
