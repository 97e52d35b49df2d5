"""Chains over several nodes, against every way there is."""

from itertools import groupby, product

import numpy as np
import pytest

from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.plan import Compute, Transfer
from sim.policies.pipeline import Pipeline, Times, soonest, steadiest
from tests.conftest import At, TwoParts, small_topology
from tests.sim.policies.test_chain import chain_of, nodes_of, plan_for, view_of
from tests.sim.policies.test_min_cut import THIN, predicted_s
from workloads.workload import Workload


def drawn(seed: int, nodes: int = 4, stages: int = 5) -> Times:
    rng = np.random.default_rng(seed)
    move_s = rng.exponential(0.3, (stages + 1, nodes, nodes))
    move_s[:, np.arange(nodes), np.arange(nodes)] = 0
    return Times(
        tuple("abcdef"[:nodes]), rng.exponential(1.0, (nodes, stages)), move_s,
        float(rng.exponential(0.5)), rng.exponential(0.2, nodes), int(rng.integers(0, 3)),
    )  # fmt: skip


def pieces_of(times: Times, nodes: tuple[int, ...]) -> list[float]:
    """What each run and each transfer takes; the edge's first run has what comes before."""
    runs = [
        [node, list(places)] for node, places in groupby(range(len(nodes)), key=nodes.__getitem__)
    ]
    found, at = [], 0
    if not runs or runs[0][0] != 0:
        found.append(times.before_s)
    for number, (node, places) in enumerate(runs):
        if node != at:
            found.append(float(times.move_s[places[0], at, node]))
        before_s = times.before_s if number == 0 and node == 0 else 0.0
        found.append(before_s + float(times.stage_s[node, places].sum()))
        at = node
    return [*found, float(times.home_s[at])]


def allowed(times: Times) -> list[tuple[int, ...]]:
    count, stages = times.stage_s.shape
    every = product(range(count), repeat=stages)
    return [each for each in every if not any(each[: times.head])]


@pytest.mark.parametrize("seed", range(20))
def test_no_other_way_to_give_stages_to_nodes_is_done_sooner(seed: int) -> None:
    times = drawn(seed)
    queued_s = np.array([0.0, *np.random.default_rng(seed).exponential(0.2, 3)])

    def latency_s(nodes: tuple[int, ...]) -> float:
        entered = [node for node, _ in groupby(nodes)]
        if entered[0] == 0:
            entered = entered[1:]
        return sum(pieces_of(times, nodes)) + sum(queued_s[node] for node in entered)

    found = tuple(map(times.nodes.index, soonest(times, queued_s)))
    assert found in allowed(times)
    assert latency_s(found) == pytest.approx(min(map(latency_s, allowed(times))), rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_no_other_way_with_nodes_in_order_has_a_shorter_period(seed: int) -> None:
    times = drawn(seed)
    in_order = [each for each in allowed(times) if list(each) == sorted(each)]
    found = tuple(map(times.nodes.index, steadiest(times)))
    assert found in in_order
    period_s = min(max(pieces_of(times, each)) for each in in_order)
    assert max(pieces_of(times, found)) == pytest.approx(period_s, rel=1e-12)
    least_s = min(
        sum(pieces_of(times, each))
        for each in in_order
        if max(pieces_of(times, each)) <= period_s * (1 + 1e-9)
    )
    assert sum(pieces_of(times, found)) == pytest.approx(least_s, rel=1e-9)


@pytest.mark.parametrize("sizes", [(1e3, 1e3, 1e3), (5e6, 1e3, 5e6), (1e3, 5e6, 1e3)])
def test_the_forecast_is_what_the_simulator_measures(make_scenario, sizes) -> None:
    model = TwoParts(chain=chain_of(*sizes), model_input=THIN)
    scenario = make_scenario(Pipeline(), workload=Workload(model, At((0.0,)), 1))
    best_s = min(
        predicted_s(nodes, model) for nodes in product(("edge", "a", "b"), repeat=len(sizes))
    )
    found_s = Simulator().run(scenario).outcomes[0].latency_s
    assert found_s == pytest.approx(best_s, rel=1e-9)


def test_for_throughput_the_work_is_spread_over_all() -> None:
    model = TwoParts(chain=chain_of(1e3, 1e3, 1e3, 1e3), model_input=THIN)
    plan = plan_for(Pipeline("throughput"), model, view_of(small_topology()))
    runs = {step.node: len(step.stages) for step in plan.steps if isinstance(step, Compute)}
    # Of four seconds of work at the edge's speed, the cloud twice as fast takes half.
    assert runs == {"edge": 1, "a": 2, "b": 1}
    ends = [(step.source, step.target) for step in plan.steps if isinstance(step, Transfer)]
    assert ends == [("edge", "a"), ("a", "b"), ("b", "edge")]


def test_what_stays_at_the_edge_and_what_is_queued() -> None:
    model = TwoParts(chain=chain_of(1e3, 1e3, 1e3, 1e3), model_input=THIN)
    kept = plan_for(Pipeline(head=2), model, view_of(small_topology()))
    assert nodes_of(kept) == ["edge", "edge", "a"]
    busy = plan_for(Pipeline(), model, view_of(small_topology(), a=99.0))
    assert "a" not in nodes_of(busy)
    with pytest.raises(PolicyError, match="head: -2 is negative"):
        Pipeline(head=-2)
