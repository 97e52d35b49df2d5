from collections.abc import Callable
from itertools import combinations
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import PolicyError
from sim.policies.assignment import SchemeName, assign
from sim.policies.task import Task
from workloads.sam.geometry import Window, adjacent, windows
from workloads.sam.variants import VARIANTS
from workloads.stage import Shard

WINDOWS = windows(VARIANTS["vit-b"])
SCHEMES = get_args(SchemeName)
SMALL = windows(VARIANTS["small"])


def task(
    count: int,
    cost_s: Callable[[str, Shard], float] | None = None,
    seed: int = 0,
    known: tuple[Window, ...] = WINDOWS,
) -> Task:
    nodes = tuple(f"c{number}" for number in range(count))
    return Task(known, nodes, cost_s or (lambda _, shard: float(len(shard))), seed)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(count=st.integers(4, 40), seed=st.integers(0, 5))
def test_every_window_goes_to_exactly_one_cloud(scheme, count, seed) -> None:
    shards = assign(scheme, task(count, seed=seed))
    assert len(shards) == count
    assert sorted(index for shard in shards for index in shard) == list(range(25))
    assert all(shard == tuple(sorted(shard)) for shard in shards)


@pytest.mark.parametrize("scheme", ["contiguous", "round-robin", "random"])
@given(count=st.integers(1, 25))
def test_equal_schemes_differ_by_one_window_at_most(scheme, count) -> None:
    sizes = [len(shard) for shard in assign(scheme, task(count))]
    assert max(sizes) - min(sizes) <= 1


@given(count=st.integers(1, 25))
def test_contiguous_shards_hang_together(count) -> None:
    for shard in assign("contiguous", task(count)):
        reached = {shard[0]}
        while True:
            grown = {
                index
                for index in shard
                if index in reached
                or any(
                    abs(WINDOWS[index].row - WINDOWS[other].row)
                    + abs(WINDOWS[index].column - WINDOWS[other].column)
                    == 1
                    for other in reached
                )
            }
            if grown == reached:
                break
            reached = grown
        assert reached == set(shard)


@given(count=st.integers(4, 40))
def test_a_checkerboard_shard_never_holds_two_windows_that_touch(count) -> None:
    for shard in assign("checkerboard", task(count)):
        assert not any(adjacent(WINDOWS[a], WINDOWS[b]) for a in shard for b in shard if a != b)


def test_a_checkerboard_needs_four_clouds() -> None:
    with pytest.raises(PolicyError, match="needs at least 4 clouds, got 3"):
        assign("checkerboard", task(3))


def test_round_robin_deals_in_turn() -> None:
    assert assign("round-robin", task(3))[1] == (1, 4, 7, 10, 13, 16, 19, 22)


def test_random_depends_on_the_seed_alone() -> None:
    assert assign("random", task(5, seed=1)) == assign("random", task(5, seed=1))
    assert assign("random", task(5, seed=1)) != assign("random", task(5, seed=2))


def test_speed_proportional_loads_nodes_by_their_speed() -> None:
    speeds = {"c0": 1.0, "c1": 2.0, "c2": 4.0}

    def cost_s(node: str, shard: Shard) -> float:
        return sum(WINDOWS[index].tokens for index in shard) / speeds[node]

    shards = assign("speed-proportional", task(3, cost_s))
    finish = [cost_s(node, shard) for node, shard in zip(speeds, shards, strict=True)]
    ideal = 4096 / 7
    assert max(finish) <= ideal + 196  # one window more than perfect balance, on the slowest
    assert max(finish) < 1.15 * ideal


def test_speed_proportional_leaves_out_a_cloud_that_is_too_far() -> None:
    def cost_s(node: str, shard: Shard) -> float:
        return (1e6 if node == "c1" else 0.0) + len(shard)

    shards = assign("speed-proportional", task(3, cost_s))
    assert shards[1] == ()


def distances(shards: tuple[Shard, ...], known: tuple[Window, ...]) -> list[float]:
    """Return the distance of every two windows that are together."""
    return [
        float(np.hypot(known[a].row - known[b].row, known[a].column - known[b].column))
        for shard in shards
        for a, b in combinations(shard, 2)
    ]


def tokens_of(shards: tuple[Shard, ...], known: tuple[Window, ...]) -> list[int]:
    return [sum(known[index].tokens for index in shard) for shard in shards]


@pytest.mark.parametrize("scheme", ["clustered", "spread"])
@pytest.mark.parametrize("known", [WINDOWS, SMALL], ids=["vit-b", "small"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 12, 16])
def test_clustered_and_spread_are_balanced(scheme, known, count) -> None:
    sizes = tokens_of(assign(scheme, task(count, known=known)), known)
    whole, largest = sum(sizes), max(window.tokens for window in known)
    assert min(sizes) > 0
    assert max(sizes) <= whole / count + largest * (1 - 1 / count)


@pytest.mark.parametrize("scheme", ["clustered", "spread"])
@pytest.mark.parametrize("count", [2, 4, 8, 16])
def test_equal_windows_are_shared_out_equally(scheme, count) -> None:
    assert set(tokens_of(assign(scheme, task(count, known=SMALL)), SMALL)) == {256 // count}


def test_clustered_finds_the_four_quarters() -> None:
    shards = assign("clustered", task(4, known=SMALL))
    assert {frozenset(shard) for shard in shards} == {
        frozenset({corner, corner + 1, corner + 4, corner + 5}) for corner in (0, 2, 8, 10)
    }


def test_spread_has_the_least_distance_that_four_parity_classes_have() -> None:
    assert min(distances(assign("spread", task(4, known=SMALL)), SMALL)) == 2.0
    assert min(distances(assign("clustered", task(4, known=SMALL)), SMALL)) == 1.0


@given(count=st.integers(2, 8))
def test_clusters_are_closer_and_spread_windows_further_apart_than_drawn_ones(count) -> None:
    drawn = distances(assign("random", task(count)), WINDOWS)
    close = distances(assign("clustered", task(count)), WINDOWS)
    apart = distances(assign("spread", task(count)), WINDOWS)
    assert np.mean(close) < np.mean(drawn)
    assert min(apart) >= min(drawn)
    assert np.mean(np.array(apart) ** -4.0) < np.mean(np.array(drawn) ** -4.0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_windows_leave_every_shard_empty(scheme) -> None:
    assert assign(scheme, task(5, known=())) == ((),) * 5
