"""The specification of fair sharing, against hand-worked cases and its own definition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine.sharing import fill, max_min_rates

INF = float("inf")


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


@pytest.mark.parametrize(
    ("routes", "weights", "capacities", "caps", "levels"),
    [
        ([(0,)], [1], [8.0], [2.0], [2.0]),
        ([(0,), (0,)], [1, 3], [8.0], [1.0, INF], [1.0, 7 / 3]),
        ([(0,), (0,), (0,)], [1, 1, 2], [12.0], [INF, 5.0, 5.0], [3.5, 3.5, 2.5]),
        ([(0, 1), (0,), (1,)], [1, 2, 3], [10.0, 8.0], [1.0, 3.0, INF], [1.0, 1.5, 7 / 3]),
        ([(0, 1), (0,), (1,)], [1, 1, 1], [10.0, 20.0], [2.0, INF, 6.0], [2.0, 8.0, 6.0]),
        ([(0,), (0,)], [1, 1], [8.0], [0.0, INF], [0.0, 8.0]),
    ],
    ids=["alone", "rest-to-others", "above-the-share", "two-links", "parking-lot", "stopped"],
)
def test_levels_under_caps_worked_out_by_hand(routes, weights, capacities, caps, levels):
    rates = max_min_rates(routes, weights, capacities, caps)
    assert rates == pytest.approx(levels, rel=1e-14)


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


@settings(deadline=None, max_examples=200)
@given(worlds(), st.data())
def test_caps_hold_and_every_class_has_a_bottleneck_or_its_cap(world, data):
    routes, weights, capacities = world
    count = len(routes)
    caps = data.draw(st.lists(st.just(0.0) | st.floats(0.01, 30.0), min_size=count, max_size=count))
    levels = max_min_rates(routes, weights, capacities, caps)
    rates = [level * weight for level, weight in zip(levels, weights, strict=True)]
    loads = [0.0] * len(capacities)
    for route, rate in zip(routes, rates, strict=True):
        for link in route:
            loads[link] += rate
    for load, capacity in zip(loads, capacities, strict=True):
        assert load <= capacity * (1 + 1e-12)
    for route, level, rate, cap in zip(routes, levels, rates, caps, strict=True):
        assert rate <= cap * (1 + 1e-12)
        if rate < cap * (1 - 1e-12):
            assert any(
                loads[link] >= capacities[link] * (1 - 1e-12)
                and all(
                    other <= level * (1 + 1e-9)
                    for other, passes in zip(levels, routes, strict=True)
                    if link in passes
                )
                for link in route
            )


@settings(deadline=None, max_examples=100)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_classes_does_not_matter(world, random):
    routes, weights, capacities = world
    order = list(range(len(routes)))
    random.shuffle(order)
    shuffled = max_min_rates([routes[i] for i in order], [weights[i] for i in order], capacities)
    levels = max_min_rates(routes, weights, capacities)
    assert shuffled == pytest.approx([levels[i] for i in order], rel=1e-11)
