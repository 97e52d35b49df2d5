"""Secret shares as plans and in simulated time: who gets what, what is seen, what a loss costs."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import pytest

from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.exposure import sights, worst_coalition
from sim.faults import Fault, FaultPlan
from sim.plan import Compute, Plan, Step, Transfer
from sim.policies.shares import Shares
from sim.policy import UNTOUCHED
from sim.tables import Tables
from sim.trace import FINISHED, Trace
from tests.conftest import TwoParts, small_topology
from tests.sim.policies.test_sharded import TOPOLOGY, VIEW, view_of
from workloads.catalogue import model_named
from workloads.sam.model import Sam
from workloads.stage import Request

SMALL = model_named("sam-small")


def plan_for(policy: Shares, model: str = "sam-small") -> Plan:
    return policy.plan(Request(0, 0.0, "jetson", model_named(model)), UNTOUCHED, VIEW)


def shares_sent(steps: Iterable[Step]) -> list[Transfer]:
    return [s for s in steps if isinstance(s, Transfer) and s.payload.tensor == "share"]


def run(policy: str, faults: FaultPlan | None = None) -> Trace:
    scenario = load("small-sam", ["workload.requests=1", "warm_up=0"], policy)
    return Simulator().run(replace(scenario, faults=faults) if faults else scenario)


@pytest.mark.parametrize("clouds", [2, 3, 16])
def test_every_cloud_gets_one_share_of_each_layer(clouds: int) -> None:
    steps = plan_for(Shares(clouds)).steps
    by_node = defaultdict(list)
    for step in shares_sent(steps):
        by_node[step.target].append(step.payload.first)
    assert len(by_node) == clouds
    for numbers in by_node.values():
        assert [number // clouds for number in numbers] == list(range(33))


def test_nothing_is_seen_by_any_coalition() -> None:
    assert isinstance(SMALL, Sam)
    seen = sights(plan_for(Shares(4)).steps, TOPOLOGY)
    assert len(seen) == 4
    assert {tensor for sight in seen.values() for tensor in sight.tensors} == {"share"}
    assert not any(sight.mixes for sight in seen.values())
    assert worst_coalition(seen.values(), SMALL.shard_fractions, 3) == 0.0


def test_shares_go_to_different_providers_as_far_as_there_are_any() -> None:
    for clouds, most in ((4, 1), (5, 2), (16, 5)):
        found = {step.target for step in shares_sent(plan_for(Shares(clouds)).steps)}
        owners = [TOPOLOGY.node(name).provider for name in found]
        assert len(owners) == clouds
        assert max(map(owners.count, owners)) == most


def test_an_origin_keeps_its_plan() -> None:
    assert plan_for(Shares(3)) is plan_for(Shares(3))


def test_the_first_layer_alone_is_one_round_trip() -> None:
    steps = plan_for(Shares(2, 0)).steps
    assert len(shares_sent(steps)) == 2
    edge = [step for step in steps if isinstance(step, Compute) and step.node == "jetson"]
    assert len(edge) == 3  # prepare, draw, all the rest


@pytest.mark.parametrize("clouds", [2, 3])
def test_simulated_traffic_is_that_of_the_formula(clouds: int) -> None:
    requests = Tables(run(f"sharded/shares:clouds={clouds}")).requests()
    tokens, dim, depth = 256, 192, 8
    assert requests["bytes_up"].iloc[0] == clouds * 8 * tokens * (768 + depth * 7 * dim)
    assert requests["bytes_down"].iloc[0] == clouds * 8 * tokens * dim * (1 + depth * 9)
    assert (requests["outcome"] == FINISHED).all()


def test_simulated_exposure_is_nothing() -> None:
    trace = run("sharded/shares:clouds=3")
    exposure = Tables(trace).exposure()
    assert (exposure["pixels"] == 0).all()
    seen = run("sharded/prefix")
    assert Tables(seen).exposure()["pixels"].max() > 0


def test_a_lost_cloud_costs_the_layer_under_way_and_no_node_gets_two_of_its_shares() -> None:
    whole = run("sharded/shares:clouds=3")
    lost = shares_sent(whole.records[0].plan.steps)[0].target
    middle_s = whole.records[-1].end_s / 2
    trace = run("sharded/shares:clouds=3", FaultPlan((Fault(middle_s, lost, "crash"),)))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]
    first, again = dict.fromkeys(record.plan for record in trace.records)
    sent = [s for r in trace.records for s in shares_sent([r.plan.steps[r.step]])]
    assert lost not in {step.target for step in shares_sent(again.steps)}
    got = defaultdict(set)
    for step in sent:
        got[step.target, step.payload.first // 3].add(step.payload.first)
    assert all(len(numbers) == 1 for numbers in got.values())
    layers = [(s.payload.blocks_done, s.payload.fixed_bytes) for s in shares_sent(first.steps)]
    left = [(s.payload.blocks_done, s.payload.fixed_bytes) for s in shares_sent(again.steps)]
    assert left == layers[-len(left) :]
    assert 3 < len(left) < len(layers) - 3
    assert len(shares_sent([r.plan.steps[r.step] for r in trace.records if r.attempt])) == len(left)
    assert not {s.payload.first for s in shares_sent(first.steps)} & {
        s.payload.first for s in shares_sent(again.steps)
    }


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (lambda: Shares(1), "clouds: 1; give at least 2, since a single share is the input"),
        (lambda: Shares(2, -1), "blocks: -1 is negative; give 0 or more, or 'all'"),
        (lambda: plan_for(Shares(17)), "17 wanted, but topology 'jetson-16-clouds' has 16"),
        (lambda: plan_for(Shares(2, 9)), "9 wanted, but sam-small has 8; ask for fewer"),
    ],
)
def test_a_mistake_is_told_in_one_line(policy, words) -> None:
    with pytest.raises(PolicyError, match=words) as caught:
        policy()
    assert "\n" not in str(caught.value)


def test_a_model_without_these_layers() -> None:
    request = Request(0, 0.0, "edge", TwoParts())
    with pytest.raises(PolicyError, match="model 'two-parts' is no SAM"):
        Shares(2).plan(request, UNTOUCHED, view_of(small_topology()))
