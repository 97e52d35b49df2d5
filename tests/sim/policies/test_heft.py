"""HEFT on the example of its authors, and its schedules against what a schedule must be."""

from itertools import pairwise

import numpy as np
import pytest

from sim.policies.heft import Graph, heft, upward_ranks

COSTS = (
    (14, 16, 9), (13, 19, 18), (11, 13, 19), (13, 8, 17), (12, 13, 10),
    (13, 16, 9), (7, 15, 11), (5, 11, 14), (18, 12, 20), (21, 7, 16),
)  # fmt: skip
MOVES = {
    (0, 1): 18, (0, 2): 12, (0, 3): 9, (0, 4): 11, (0, 5): 14, (1, 7): 19, (1, 8): 16, (2, 6): 23,
    (3, 7): 27, (3, 8): 23, (4, 8): 13, (5, 7): 15, (6, 9): 17, (7, 9): 11, (8, 9): 13,
}  # fmt: skip
"""Topcuoglu, Hariri and Wu 2002, table 1 and figure 2."""


def graph_of(costs, moves) -> Graph:
    apart = 1 - np.eye(len(costs[0]))
    before = [tuple(b for b, task in moves if task == n) for n in range(len(costs))]
    move_s = {pair: seconds * apart for pair, seconds in moves.items()}
    return Graph(np.array(costs, float), before, move_s)


def test_the_authors_example_comes_out_as_theirs() -> None:
    graph = graph_of(COSTS, MOVES)
    theirs = [108.0, 77.0, 80.0, 80.0, 69.0, 63.333, 42.667, 35.667, 44.333, 14.667]
    assert upward_ranks(graph) == pytest.approx(theirs, abs=1e-3)
    assert max(heft(graph).end_s) == 80


@pytest.mark.parametrize("seed", range(30))
def test_no_task_begins_too_soon_and_no_node_has_two(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, nodes = int(rng.integers(2, 12)), int(rng.integers(1, 5))
    costs = rng.exponential(1.0, (count, nodes))
    costs[rng.random(costs.shape) < 0.2] = np.inf
    costs[:, 0] = np.where(np.isinf(costs).all(axis=1), 1.0, costs[:, 0])
    moves = {
        (b, task): float(rng.exponential(0.5))
        for task in range(count) for b in range(task) if rng.random() < 0.4
    }  # fmt: skip
    graph = graph_of(costs, moves)
    found = heft(graph)
    for task, (node, start_s, end_s) in enumerate(zip(*found, strict=True)):
        assert end_s == pytest.approx(start_s + costs[task, node])
        for earlier in graph.before[task]:
            moved_s = graph.move_s[earlier, task][found.nodes[earlier], node]
            assert start_s >= found.end_s[earlier] + moved_s - 1e-12
    for node in range(nodes):
        runs = sorted(
            (found.start_s[t], found.end_s[t]) for t in range(count) if found.nodes[t] == node
        )
        assert all(one[1] <= other[0] + 1e-12 for one, other in pairwise(runs))


def test_a_task_is_put_into_a_gap_where_it_fits() -> None:
    # Tasks 0 and 2 leave node 0 waiting for what comes from node 1; task 3 fits in between.
    costs = [(1, 99), (99, 4), (9, 99), (2, 99)]
    graph = graph_of(costs, {(0, 1): 1, (1, 2): 1})
    found = heft(graph)
    assert (found.start_s[2], found.start_s[3], found.end_s[3]) == (7, 1, 3)
