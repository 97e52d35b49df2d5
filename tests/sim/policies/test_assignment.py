from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import PolicyError
from sim.policies.assignment import Task, assign
from workloads.sam.geometry import adjacent, windows
from workloads.sam.variants import VARIANTS
from workloads.stage import Shard

WINDOWS = windows(VARIANTS["vit-b"])
SCHEMES = ["contiguous", "round-robin", "random", "checkerboard", "speed-proportional"]


def task(count: int, cost_s: Callable[[str, Shard], float] | None = None, seed: int = 0) -> Task:
    nodes = tuple(f"c{number}" for number in range(count))
    return Task(WINDOWS, nodes, cost_s or (lambda _, shard: float(len(shard))), seed)


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
