"""Windows as tasks of a list schedule between the edge's work before and after."""

import numpy as np

from sim.policies.heft import Graph, heft
from sim.policies.task import Task
from workloads.sam.geometry import Window
from workloads.stage import Shard


def listed(task: Task) -> tuple[Shard, ...]:
    """Return one shard per node, as `heft` schedules the windows, all rounds of one together."""
    found = heft(_graph(task))
    owners = found.nodes[1:-1]
    return tuple(
        tuple(sorted(
            window.index for window, owner in zip(task.windows, owners, strict=True)
            if owner == place
        ))
        for place in range(1, len(task.nodes) + 1)
    )  # fmt: skip


def _graph(task: Task) -> Graph:
    """Return the windows between two tasks of the edge, which is the first of the nodes."""
    count, places = len(task.windows), len(task.nodes) + 1
    cost_s = np.full((count + 2, places), np.inf)
    cost_s[[0, -1], 0] = 0.0
    move_s = {}
    for number, window in enumerate(task.windows, 1):
        up_s, cost_s[number, 1:], down_s = _pieces_s(task, window)
        there, back = np.zeros((places, places)), np.zeros((places, places))
        there[0, 1:], back[1:, 0] = up_s, down_s
        move_s[0, number], move_s[number, count + 1] = there, back
    before = [(), *[(0,)] * count, tuple(range(1, count + 1))]
    return Graph(cost_s, before, move_s)


def _pieces_s(task: Task, window: Window) -> np.ndarray:
    """Return what one window takes on its way to each node, there, and back, (3, nodes)."""
    trips = [task.rounds_of(node, (window.index,)) for node in task.nodes]
    return np.array(
        [
            [sum(each.up.seconds for each in rounds) for rounds in trips],
            [sum(each.compute_s for each in rounds) for rounds in trips],
            [sum(each.down.seconds for each in rounds) for rounds in trips],
        ]
    )
