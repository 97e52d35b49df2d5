"""Assignments by programme keep what they are told, for whatever clouds there are."""

from collections import defaultdict
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import PolicyError
from sim.policies.assignment import assign
from sim.policies.task import Leg, Limits, Task, Trip
from tests.sim.policies.test_constrained import TINY, cost_of
from workloads.sam.geometry import adjacent
from workloads.stage import Shard

COST = cost_of(TINY)
FRACTIONS = {window.index: window.fraction for window in TINY}


def task(count: int, limits: Limits, providers: int = 2, shown=None) -> Task:
    nodes = tuple(f"c{number}" for number in range(count))
    owners = {node: f"p{number % providers}" for number, node in enumerate(nodes)}

    def trips(node: str, shard: Shard) -> tuple[Trip, ...]:
        size_bytes = 1e4 * len(shard)
        leg = Leg(size_bytes, 0.01, size_bytes * 8 / 1e6, ((0, 1e6),))
        return (Trip(leg, COST(node, shard), leg, usd=0.1 + COST(node, shard) / 100),)

    def cost_s(node: str, shard: Shard) -> float:
        return sum(trip.seconds for trip in trips(node, shard))

    return Task(TINY, nodes, cost_s, 0, limits, shown or {}, trips, owners)


def kept(given: Task, shards: tuple[Shard, ...]) -> None:
    limits = given.limits
    assert sorted(index for shard in shards for index in shard) == [w.index for w in TINY]
    seen: dict[str, float] = defaultdict(float)
    known = {window.index: window for window in TINY}
    for node, shard in zip(given.nodes, shards, strict=True):
        before = {window.index for window in given.shown.get(node, ())}
        owner = given.providers[node] if limits.by_provider else node
        seen[owner] += sum(FRACTIONS[index] for index in before | set(shard))
        pairs = combinations(sorted(before | set(shard)), 2)
        touching = [pair for pair in pairs if adjacent(*(known[index] for index in pair))]
        assert not limits.apart or not [p for p in touching if not set(p) <= before]
    most = sorted(seen.values())[-limits.coalition :]
    assert max(most) <= limits.cap + 1e-6
    assert sum(most) <= limits.coalition_cap + 1e-6
    usd = sum(
        trip.usd
        for node, shard in zip(given.nodes, shards, strict=True)
        if shard
        for trip in given.rounds_of(node, shard)
    )
    assert usd <= limits.most_usd + 1e-6


LIMITS = st.builds(
    Limits,
    st.floats(0.2, 1),
    st.integers(1, 3),
    st.floats(0.4, 1),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.5, 1.0, float("inf")]),
)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None)
@given(st.integers(1, 4), LIMITS, st.integers(1, 3))
def test_bounds_are_never_overstepped(count: int, limits: Limits, providers: int) -> None:
    given_task = task(count, limits, providers)
    try:
        shards = assign("least-makespan", given_task)
    except PolicyError:
        return  # whether it is right to refuse: tests/sim/policies/test_makespan.py
    kept(given_task, shards)


def test_what_was_shown_before_counts() -> None:
    shown = {"c0": frozenset(TINY[:2]), "gone": frozenset(TINY[4:5])}
    free = task(3, Limits(), shown=shown)
    kept(free, assign("least-makespan", free))
    strict = task(3, Limits(cap=0.5, coalition=2, coalition_cap=0.99), shown=shown)
    kept(strict, assign("least-makespan", strict))


def test_what_is_impossible_is_refused_with_what_was_asked() -> None:
    with pytest.raises(PolicyError, match=r"9 windows to 2 clouds none is within cap=0.3.*loosen"):
        assign("least-makespan", task(2, Limits(cap=0.3)))


def test_one_provider_is_one_who_sees() -> None:
    apart = task(4, Limits(cap=0.5), providers=4)
    kept(apart, assign("least-makespan", apart))
    with pytest.raises(PolicyError, match="by_provider=True"):
        assign("least-makespan", task(4, Limits(cap=0.5, by_provider=True), providers=1))
