"""Assignments by integer programme, against every assignment there is."""

from itertools import product

import numpy as np
import pytest

from sim.policies.makespan import Affine, Barrier, Bounds, Shared, soonest


def affine(rng: np.random.Generator, windows: int, nodes: int) -> Affine:
    speeds = rng.exponential(1.0, nodes)
    return Affine(rng.exponential(0.5, nodes), np.outer(rng.uniform(0.5, 1.5, windows), speeds))


def case(seed: int) -> tuple[list[Barrier], Bounds]:
    rng = np.random.default_rng(seed)
    windows, nodes = int(rng.integers(2, 7)), int(rng.integers(1, 4))
    trips = []
    for _ in range(int(rng.integers(1, 3))):
        shared = tuple(
            Shared(
                rng.exponential(0.4, (windows, nodes)),
                float(rng.exponential(0.2)),
                affine(rng, windows, nodes) if rng.random() < 0.5 else None,
            )
            for _ in range(int(rng.integers(0, 3)))
        )
        trips.append(Barrier(affine(rng, windows, nodes), shared, int(rng.integers(1, 3))))
    shows = np.outer(rng.dirichlet(np.ones(windows) * 5), np.ones(nodes))
    shows[rng.random(shows.shape) < 0.1] = 0.0  # seen before
    groups = np.unique(rng.integers(0, nodes, nodes), return_inverse=True)[1]
    pairs = [(one, other) for other in range(windows) for one in range(other)]
    bounds = Bounds(
        shows,
        tuple(groups.tolist()),
        rng.uniform(0, 0.3, groups.max() + 2),
        cap=float(rng.uniform(0.3, 1.3)),
        coalition=int(rng.integers(1, 3)),
        together=float(rng.uniform(0.5, 1.4)),
        apart=tuple(pair for pair in pairs if rng.random() < 0.15),
        allowed=rng.random((windows, nodes)) < 0.95,
        usd=affine(rng, windows, nodes),
        most_usd=float(rng.uniform(2, 12)),
    )  # fmt: skip
    return trips, bounds


def cost(each: Affine, nodes: tuple[int, ...], node: int) -> float:
    own = [window for window, owner in enumerate(nodes) if owner == node]
    return float(each.fixed[node] + each.each[own, node].sum()) if own else 0.0


def makespan_s(trips: list[Barrier], nodes: tuple[int, ...]) -> float:
    count, windows = trips[0].own_s.each.shape[1], np.arange(len(nodes))
    return sum(
        trip.times
        * max(
            *(cost(trip.own_s, nodes, node) for node in range(count)),
            *(float(c.each_s[windows, list(nodes)].sum()) + rest_s(c, nodes) for c in trip.shared),
            0.0,
        )
        for trip in trips
    )


def rest_s(channel: Shared, nodes: tuple[int, ...]) -> float:
    after = channel.each_after_s
    each = [] if after is None else [cost(after, nodes, node) for node in range(len(after.fixed))]
    return max(channel.after_s, *each, 0.0)


def keeps(bounds: Bounds, nodes: tuple[int, ...]) -> bool:
    seen = bounds.seen.copy()
    for window, node in enumerate(nodes):
        seen[bounds.groups[node]] += bounds.shows[window, node]
    new = {bounds.groups[node] for window, node in enumerate(nodes) if bounds.shows[window, node]}
    most = max((seen[group] for group in new), default=0.0)
    together = float(np.sort(seen)[-bounds.coalition :].sum())
    apart = all(len({nodes[w] for w in clique}) == len(clique) for clique in bounds.apart)
    assert bounds.usd is not None
    assert bounds.allowed is not None
    apart = apart and all(bounds.allowed[window, node] for window, node in enumerate(nodes))
    usd = sum(cost(bounds.usd, nodes, node) for node in range(len(bounds.groups)))
    if bounds.cap < 1 or bounds.together < 1:
        apart = apart and most <= bounds.cap + 1e-9 and together <= bounds.together + 1e-9
    return apart and usd <= bounds.most_usd + 1e-9


@pytest.mark.parametrize("seed", range(200))
def test_the_programme_finds_what_going_through_all_of_them_finds(seed: int) -> None:
    trips, bounds = case(seed)
    windows, count = trips[0].own_s.each.shape
    possible = [each for each in product(range(count), repeat=windows) if keeps(bounds, each)]
    found = soonest(trips, bounds)
    if not possible:
        assert found.impossible
        assert not found.nodes
        return
    least_s = min(makespan_s(trips, each) for each in possible)
    assert keeps(bounds, found.nodes)
    assert makespan_s(trips, found.nodes) == pytest.approx(least_s, rel=1e-6)
    assert found.least_s == pytest.approx(least_s, rel=1e-6)


def test_within_a_gap_the_bound_is_still_proven() -> None:
    rng = np.random.default_rng(0)
    trips = [Barrier(affine(rng, 16, 8))]
    bounds = Bounds(np.full((16, 8), 1 / 16), tuple(range(8)), np.zeros(8))
    exact, near = soonest(trips, bounds), soonest(trips, bounds, gap=0.1)
    assert near.least_s <= makespan_s(trips, exact.nodes) * (1 + 1e-9)
    assert makespan_s(trips, near.nodes) <= 1.1 * makespan_s(trips, exact.nodes)
