"""HEFT: a list schedule of a graph of tasks on nodes that differ.

Heterogeneous Earliest Finish Time (Topcuoglu, Hariri and Wu 2002, doi 10.1109/71.993206): tasks are
taken in the order of how much work, moves included, follows on them, and each is put on the node
that is done with it first, in a gap between others where it fits.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.float64]


class Graph(NamedTuple):
    """Tasks in a topological order, on J nodes.

    ``cost_s`` is (tasks, J), infinite where a task must not run; ``before`` are the places of the
    tasks that each waits for, and ``move_s`` what it takes from one to the other, (J, J), by both.
    """

    cost_s: Seconds
    before: Sequence[tuple[int, ...]]
    move_s: dict[tuple[int, int], Seconds]


class Schedule(NamedTuple):
    """The node of each task, when it begins there, and when it is done."""

    nodes: tuple[int, ...]
    start_s: tuple[float, ...]
    end_s: tuple[float, ...]


def heft(graph: Graph) -> Schedule:
    """Return the schedule; of nodes that are done at the same time the first takes a task."""
    tasks = len(graph.cost_s)
    nodes, start_s, end_s = [-1] * tasks, [0.0] * tasks, [0.0] * tasks
    taken: list[list[tuple[float, float]]] = [[] for _ in graph.cost_s.T]
    ranks = upward_ranks(graph)
    for task in sorted(range(tasks), key=lambda each: (-ranks[each], each)):
        choices = []
        for node, cost_s in enumerate(graph.cost_s[task].tolist()):
            ready_s = max(
                (end_s[b] + float(graph.move_s[b, task][nodes[b], node])
                 for b in graph.before[task]),
                default=0.0,
            )  # fmt: skip
            begun_s = _gap(taken[node], ready_s, cost_s)
            choices.append((begun_s + cost_s, node, begun_s))
        end_s[task], nodes[task], start_s[task] = min(choices)
        taken[nodes[task]].append((start_s[task], end_s[task]))
        taken[nodes[task]].sort()
    return Schedule(tuple(nodes), tuple(start_s), tuple(end_s))


def upward_ranks(graph: Graph) -> list[float]:
    """Return for each task the longest way to an end: means of costs, and of moves between two."""
    count = graph.cost_s.shape[1]
    apart = ~np.eye(count, dtype=bool)
    own = [float(row[np.isfinite(row)].mean()) for row in graph.cost_s]
    ranks = list(own)
    for task in reversed(range(len(own))):
        for earlier in graph.before[task]:
            move_s = float(graph.move_s[earlier, task][apart].mean()) if count > 1 else 0.0
            ranks[earlier] = max(ranks[earlier], own[earlier] + move_s + ranks[task])
    return ranks


def _gap(taken: Sequence[tuple[float, float]], ready_s: float, length_s: float) -> float:
    """Return when a node has first time enough for a task that is ready then."""
    free_s = ready_s
    for start_s, end_s in taken:
        if start_s - free_s >= length_s:
            return free_s
        free_s = max(free_s, end_s)
    return free_s
