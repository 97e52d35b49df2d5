"""Nodes with a `serving` of their own, in whole simulated runs, worked out by hand."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.cost import Roofline
from sim.engine.servers.assembly import Pricer
from sim.engine.servers.batching import Batcher
from sim.engine.servers.fetching import Fetcher
from sim.engine.servers.fifo import Fifo
from sim.engine.servers.pool import Pool
from sim.engine.simulator import Simulator
from sim.engine.world import World
from sim.errors import PlanError
from sim.plan import Compute, Plan
from sim.trace import Trace
from tests.conftest import MakeScenario, Scripted, small_topology
from topologies.serving import (
    Autoscale,
    BackgroundLoad,
    Batching,
    ColdStart,
    MemoryLimit,
    NoiseModel,
    Serving,
)
from topologies.topology import Topology
from workloads.stage import Stage


def serving_edge(serving: Serving) -> Topology:
    """The small world, whose edge (1 TFLOP/s, 16 GiB, no launch overhead) serves like this."""
    world = small_topology()
    nodes = tuple(
        replace(node, serving=serving) if node.name == "edge" else node for node in world.nodes
    )
    return replace(world, nodes=nodes)


def seconds(seconds_: float, kind: str = "work", **fields: Any) -> Stage:
    return Stage(kind, seconds_ * 1e12, **{"memory_bytes": 0.0, **fields})


def run(
    make_scenario: MakeScenario, serving: Serving, *stages: Stage, arrivals_s: tuple[float, ...],
    **changes: Any,
) -> Trace:  # fmt: skip
    policy = Cycle(tuple(Plan((Compute("edge", (stage,)),)) for stage in stages))
    scenario = make_scenario(policy, arrivals_s, topology=serving_edge(serving), **changes)
    return Simulator().run(scenario, 0)


class Cycle(Scripted):
    """The plans in turn, one per request."""

    def plan(self, request: Any, progress: Any, view: Any) -> Plan:
        del progress, view
        return self.plans[request.index % len(self.plans)]


def spans(trace: Trace) -> list[tuple[float, float]]:
    return [(record.start_s, record.end_s) for record in sorted(trace.records)]


def used_s(trace: Trace) -> list[float]:
    columns = trace.columns()
    usual = columns.end_s - columns.start_s
    used = np.where(np.isnan(columns.used), usual, columns.used)
    return used[np.argsort(columns.request)].tolist()


def generators(purpose: str) -> np.random.Generator:
    return np.random.default_rng(list(purpose.encode()))


@pytest.mark.parametrize(
    ("serving", "kind"),
    [
        (Serving(), Fifo),
        (Serving("processor-sharing"), Pool),
        (Serving(batch=Batching(4)), Batcher),
        (Serving(autoscale=Autoscale(0.5, 4, 1.0)), Pool),
        (Serving(cold_start=ColdStart(1e9)), Pool),
        (Serving(cold_start=ColdStart(source="a"), batch=Batching(4)), Fetcher),
    ],
)
def test_a_node_is_the_simplest_server_that_does_it(serving: Serving, kind: type) -> None:
    world = World(serving_edge(serving), Roofline(), generators)
    assert type(world.devices["edge"]) is kind


def test_processors_are_shared_and_the_books_agree(make_scenario: MakeScenario) -> None:
    trace = run(
        make_scenario, Serving("processor-sharing"), seconds(1.0), arrivals_s=(0.0, 0.0, 0.0)
    )
    assert spans(trace) == [(0.0, 3.0)] * 3
    assert used_s(trace) == pytest.approx([1.0] * 3)
    assert trace.busy_s["edge"] == 3.0


def test_priorities_go_by_kind_of_stage(make_scenario: MakeScenario) -> None:
    serving = Serving("preemptive-priority", {"urgent": 1})
    stages = (seconds(2.0), seconds(1.0, "urgent"))
    trace = run(make_scenario, serving, *stages, arrivals_s=(0.0, 0.5))
    assert spans(trace) == [(0.0, 3.0), (0.5, 1.5)]
    assert used_s(trace) == [2.0, 1.0]


def test_equal_stages_share_a_batch_whose_time_is_the_rooflines(
    make_scenario: MakeScenario,
) -> None:
    """Weights bound one stage (1 s), operations eight of them (8 x 0.25 s)."""
    stage = seconds(0.25, memory_bytes=1e15, weight_bytes=1e15)
    shards = tuple(replace(stage, shard=(part,)) for part in range(9))
    serving = Serving(batch=Batching(8))
    trace = run(make_scenario, serving, *shards, arrivals_s=(0.0,) * 9)
    assert spans(trace) == [(0.0, 1.0)] + [(1.0, 3.0)] * 8
    assert used_s(trace) == [1.0] + [0.25] * 8
    assert trace.busy_s["edge"] == 3.0


def test_memory_admits_and_weights_are_loaded_once(make_scenario: MakeScenario) -> None:
    """Working sets of 6 GB do not fit beside each other and 2 GB of weights, at 4 GB/s, in 10."""
    stage = seconds(1.0, memory_bytes=8e9, weight_bytes=2e9)
    serving = Serving("processor-sharing", memory=MemoryLimit(10**10), cold_start=ColdStart(4e9))
    trace = run(make_scenario, serving, stage, arrivals_s=(0.0, 0.0))
    assert spans(trace) == [(0.0, 1.5), (1.5, 2.5)]


def test_weights_may_come_from_another_node(make_scenario: MakeScenario) -> None:
    """They are 30 ms away and a second long; who finds them resident waits for nothing."""
    serving = Serving(cold_start=ColdStart(source="a"))
    stage = seconds(1.0, weight_bytes=1e6)
    trace = run(make_scenario, serving, stage, arrivals_s=(0.0, 5.0))
    assert spans(trace) == [(pytest.approx(1.03), pytest.approx(2.03)), (5.0, 6.0)]
    assert trace.carried_bytes[1] == pytest.approx(1e6)
    assert used_s(trace) == pytest.approx([1.0, 1.0])


def test_what_never_fits_is_said_when_planned(make_scenario: MakeScenario) -> None:
    stage = seconds(1.0, memory_bytes=8e9, weight_bytes=2e9)
    with pytest.raises(PlanError) as caught:
        run(make_scenario, Serving(memory=MemoryLimit(7 * 10**9)), stage, arrivals_s=(0.0,))
    assert str(caught.value) == (
        "node 'edge': work needs 8 GB for weights and working set, but the limit is 7 GB; "
        "split it further or run it elsewhere"
    )
    half = Serving(memory=MemoryLimit(7 * 10**9, working=0.5))
    assert spans(run(make_scenario, half, stage, arrivals_s=(0.0,))) == [(0.0, 1.0)]


def test_a_batch_is_no_larger_than_its_memory_allows() -> None:
    serving = Serving(batch=Batching(8), memory=MemoryLimit(10**10))
    pricer = Pricer(serving_edge(serving), Roofline())
    stage = seconds(1.0, memory_bytes=4e9, weight_bytes=1e9)
    assert pricer.job(Compute("edge", (stage,))).batch_s == (1.0, 2.0, 3.0)


def test_stages_that_differ_in_more_than_their_shard_are_of_other_kinds() -> None:
    pricer = Pricer(serving_edge(Serving(batch=Batching(2))), Roofline())
    base = seconds(1.0)
    variants = (base, replace(base, shard=(1,)), replace(base, blocks=(1,)), seconds(1.0, "other"))
    kinds = [pricer.job(Compute("edge", (stage,))).kind for stage in variants]
    assert kinds == [0, 0, 1, 2]


def test_interference_slows_what_shares_a_device(make_scenario: MakeScenario) -> None:
    serving = Serving("processor-sharing", interference=0.5)
    trace = run(make_scenario, serving, seconds(1.0), arrivals_s=(0.0, 0.0))
    assert spans(trace) == [(0.0, pytest.approx(3.0))] * 2


def test_a_refused_step_is_lost_and_its_request_fails_in_the_end(
    make_scenario: MakeScenario,
) -> None:
    trace = run(make_scenario, Serving(limit=1), seconds(1.0), arrivals_s=(0.0, 0.5, 2.0))
    outcomes = {outcome.request.index: outcome for outcome in trace.outcomes}
    assert [outcomes[index].outcome for index in range(3)] == ["finished", "failed", "finished"]
    assert outcomes[1].end_s == 0.5
    assert outcomes[1].reason == "10 of its plans were lost"


NOISY: Mapping[str, Serving] = {
    "noise": Serving(noise=NoiseModel(cv=0.5)),
    "table": Serving(noise=NoiseModel(factors=(0.5, 1.5, 2.5))),
    "others": Serving(background=BackgroundLoad(0.5, 0.2)),
}


@pytest.mark.parametrize("serving", NOISY.values(), ids=NOISY)
def test_randomness_is_the_scenarios_and_disturbs_no_arrival(
    make_scenario: MakeScenario, serving: Serving
) -> None:
    policy = Scripted((Plan((Compute("edge", (seconds(0.1),)),)),))
    scenario = make_scenario(policy, tuple(range(20)), topology=serving_edge(serving))
    first, again, other = (
        spans(Simulator().run(scenario, replication)) for replication in (0, 0, 1)
    )
    seeded = spans(Simulator().run(replace(scenario, seed=1), 0))
    assert first == again
    assert len({str(each) for each in (first, other, seeded)}) == 3
    calm = replace(scenario, topology=small_topology())
    assert scenario.requests(1) == calm.requests(1)


def test_each_purpose_has_a_generator_of_its_own(make_scenario: MakeScenario) -> None:
    scenario = make_scenario(Scripted(()))
    draws = {
        scenario.generator(0, purpose).random()
        for purpose in ("", "noise of a", "noise of b", "background of a")
    }
    assert len(draws | {child.random() for child in scenario.generator(0).spawn(3)}) == 7
