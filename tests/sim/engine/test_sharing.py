"""The specification of fair sharing, against hand-worked cases and its own definition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine.sharing import fill, max_min_rates


@pytest.mark.parametrize(
    ("routes", "weights", "capacities", "levels"),
    [
        ([(0,)], [1], [8.0], [8.0]),
        ([(0,)], [4], [8.0], [2.0]),
        ([(0, 1), (0,), (1,)], [1, 1, 1], [10.0, 20.0], [5.0, 5.0, 15.0]),
        ([(0, 1, 2), (0,), (1,), (2,)], [1, 1, 1, 1], [6.0, 6.0, 6.0], [3.0, 3.0, 3.0, 3.0]),
        ([(0, 1, 2), (0,), (1,), (2,)], [1, 1, 2, 3], [8.0, 6.0, 6.0], [1.5, 6.5, 2.25, 1.5]),
        ([(0, 1), (1, 2), (2, 0)], [1, 1, 1], [2.0, 4.0, 9.0], [1.0, 3.0, 1.0]),
        ([(0,), (0, 1)], [1, 1], [10.0, 0.0], [10.0, 0.0]),
    ],
    ids=["alone", "four", "parking-lot", "long-and-short", "weights", "triangle", "outage"],
)
def test_levels_worked_out_by_hand(routes, weights, capacities, levels):
    assert max_min_rates(routes, weights, capacities) == pytest.approx(levels, rel=1e-14)


@st.composite
def worlds(draw):
    links = draw(st.integers(1, 7))
    capacities = draw(
        st.lists(st.one_of(st.floats(0.1, 100), st.just(10.0)), min_size=links, max_size=links)
    )
    route = st.lists(st.integers(0, links - 1), min_size=1, max_size=4, unique=True)
    routes = draw(st.lists(route.map(tuple), min_size=1, max_size=14))
    weight = st.one_of(st.just(1.0), st.floats(0.1, 10))
    weights = draw(st.lists(weight, min_size=len(routes), max_size=len(routes)))
    return routes, weights, capacities


@settings(deadline=None, max_examples=200)
@given(worlds())
def test_no_link_overflows_and_every_class_has_a_bottleneck(world):
    routes, weights, capacities = world
    levels, stopped_by = fill(routes, weights, capacities)
    loads = [0.0] * len(capacities)
    tops = [0.0] * len(capacities)
    for route, weight, level in zip(routes, weights, levels, strict=True):
        for link in route:
            loads[link] += weight * level
            tops[link] = max(tops[link], level)
    for load, capacity in zip(loads, capacities, strict=True):
        assert load <= capacity * (1 + 1e-12)
    for route, level, link in zip(routes, levels, stopped_by, strict=True):
        assert link in route
        assert loads[link] == pytest.approx(capacities[link], rel=1e-12)
        assert tops[link] <= level * (1 + 1e-12)


@settings(deadline=None, max_examples=100)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_classes_does_not_matter(world, random):
    routes, weights, capacities = world
    order = list(range(len(routes)))
    random.shuffle(order)
    shuffled = max_min_rates([routes[i] for i in order], [weights[i] for i in order], capacities)
    levels = max_min_rates(routes, weights, capacities)
    assert shuffled == pytest.approx([levels[i] for i in order], rel=1e-11)
