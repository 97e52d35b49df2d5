"""Which window goes to which cloud: the assignment schemes, each a function.

A scheme gets the windows of the grid in row-major order, the nodes, and what a shard would cost
on each of them, and returns one shard per node, in the order of the nodes. Shards are disjoint
and cover the image; one may be empty.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from sim.errors import PolicyError
from sim.policies.constrained import constrained
from sim.policies.grouping import apart, close
from sim.policies.listed import listed
from sim.policies.programmed import programmed
from sim.policies.task import Task
from workloads.sam.geometry import Window
from workloads.stage import Shard

SchemeName = Literal[
    "contiguous",
    "clustered",
    "spread",
    "round-robin",
    "random",
    "checkerboard",
    "speed-proportional",
    "privacy-constrained",
    "heft",
    "least-makespan",
]


def assign(scheme: SchemeName, task: Task) -> tuple[Shard, ...]:
    """Return one shard per node by the named scheme; empty ones where there are no windows."""
    if not task.windows:
        return ((),) * len(task.nodes)
    return _SCHEMES[scheme](task)


def contiguous(task: Task) -> tuple[Shard, ...]:
    """Give each node one connected run of windows along a boustrophedon, equal in number."""
    ordered = sorted(task.windows, key=lambda w: (w.row, w.column if w.row % 2 == 0 else -w.column))
    parts = np.array_split([window.index for window in ordered], len(task.nodes))
    return tuple(tuple(sorted(int(index) for index in part)) for part in parts)


def clustered(task: Task) -> tuple[Shard, ...]:
    """Give each node windows as close together as possible, balanced by their tokens."""
    return _owned(task, close(task.windows, len(task.nodes)))


def spread(task: Task) -> tuple[Shard, ...]:
    """Give each node windows as far apart as possible, balanced by their tokens."""
    return _owned(task, apart(task.windows, len(task.nodes)))


def round_robin(task: Task) -> tuple[Shard, ...]:
    """Deal the windows one by one, in row-major order."""
    return _deal([window.index for window in task.windows], len(task.nodes))


def random(task: Task) -> tuple[Shard, ...]:
    """Deal the windows one by one in an order drawn from ``seed``."""
    drawn = np.random.default_rng(task.seed).permutation(len(task.windows))
    return _deal([task.windows[position].index for position in drawn], len(task.nodes))


def checkerboard(task: Task) -> tuple[Shard, ...]:
    """Give no node two windows that touch, not even at a corner.

    The grid falls into four classes by the parity of row and column, within which no two windows
    touch; each class gets its share of the nodes. So at least four nodes are needed.
    """
    classes = _parity_classes(task.windows)
    if len(task.nodes) < len(classes):
        raise PolicyError(
            f"assignment checkerboard: needs at least {len(classes)} clouds, got "
            f"{len(task.nodes)}; add clouds or choose another assignment"
        )
    shards: list[Shard] = []
    for members, count in zip(
        classes, _proportional([len(c) for c in classes], len(task.nodes)), strict=True
    ):
        shards.extend(_deal(members, count))
    return tuple(shards)


def speed_proportional(task: Task) -> tuple[Shard, ...]:
    """Give the largest window first to the node that would be done with it first.

    Longest processing time first on unrelated machines (Graham 1969, doi 10.1137/0117039).
    """
    shards: list[Shard] = [() for _ in task.nodes]
    for window in sorted(task.windows, key=lambda w: (-w.tokens, w.index)):
        grown = [tuple(sorted((*shard, window.index))) for shard in shards]
        costs = [task.cost_s(node, shard) for node, shard in zip(task.nodes, grown, strict=True)]
        chosen = costs.index(min(costs))
        shards[chosen] = grown[chosen]
    return tuple(shards)


def privacy_constrained(task: Task) -> tuple[Shard, ...]:
    """Keep what nodes see within ``limits``, no two windows that touch; else be done soonest.

    See `sim.policies.caps`. Raises `PolicyError` where that is impossible.
    """
    enough = len(task.nodes) >= len(_parity_classes(task.windows))
    return constrained(task, checkerboard(task) if enough else None)


def by_heft(task: Task) -> tuple[Shard, ...]:
    """Give each window to the node that has it done first, moves counted apart from work.

    The windows are a graph of tasks between the edge's work before and after (see
    `sim.policies.heft`), and a node works on one while the next one is on its way.
    """
    return listed(task)


def least_makespan(task: Task) -> tuple[Shard, ...]:
    """Have the last node done as soon as possible within ``limits``, by integer programme.

    See `sim.policies.programmed`. Raises `PolicyError` where no assignment keeps them.
    """
    return programmed(task)


_SCHEMES: dict[SchemeName, Callable[[Task], tuple[Shard, ...]]] = {
    "contiguous": contiguous,
    "clustered": clustered,
    "spread": spread,
    "round-robin": round_robin,
    "random": random,
    "checkerboard": checkerboard,
    "speed-proportional": speed_proportional,
    "privacy-constrained": privacy_constrained,
    "heft": by_heft,
    "least-makespan": least_makespan,
}


def _owned(task: Task, owners: Sequence[int]) -> tuple[Shard, ...]:
    shards: list[list[int]] = [[] for _ in task.nodes]
    for window, owner in zip(task.windows, owners, strict=True):
        shards[owner].append(window.index)
    return tuple(tuple(sorted(shard)) for shard in shards)


def _deal(indices: Sequence[int], hands: int) -> tuple[Shard, ...]:
    return tuple(tuple(sorted(indices[hand::hands])) for hand in range(hands))


def _parity_classes(windows: Sequence[Window]) -> list[list[int]]:
    classes: dict[tuple[int, int], list[int]] = {}
    for window in windows:
        classes.setdefault((window.row % 2, window.column % 2), []).append(window.index)
    return list(classes.values())


def _proportional(sizes: Sequence[int], total: int) -> list[int]:
    """Split ``total`` so that the largest size per count is least, at least one for each size."""
    counts = [1] * len(sizes)
    while sum(counts) < total:
        shares = [size / count for size, count in zip(sizes, counts, strict=True)]
        counts[shares.index(max(shares))] += 1
    return counts
