"""The best division of a chain between the edge and a cloud, against all there are."""

from dataclasses import replace
from itertools import product

import pytest

from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.policies.chain import BestSplit
from sim.policies.min_cut import MinCut
from tests.conftest import At, TwoParts, small_topology
from tests.sim.policies.test_chain import chain_of, nodes_of, plan_for, view_of
from workloads.catalogue import model_named
from workloads.codec import codec_named
from workloads.stage import Payload
from workloads.workload import Workload

THIN = Payload("pixels", (0, 1), fixed_bytes=1e3)


def predicted_s(nodes: tuple[str, ...], model, codec: str = "fp16") -> float:
    """What stages on these nodes take, one after the other."""
    world = view_of(small_topology()).estimates
    payloads = [model.model_input, *(link.output for link in model.chain)]
    seconds, at = world.seconds((model.prepare,), "edge"), "edge"
    for node, link, payload in zip(nodes, model.chain, payloads, strict=False):
        seconds += world.transfer_s(at, node, payload.encoded_bytes(codec_named(codec)))
        seconds += world.seconds((link.stage,), node)
        at = node
    return seconds + world.transfer_s(at, "edge", payloads[-1].fixed_bytes)


@pytest.mark.parametrize(("head", "tail"), [(0, 0), (1, 0), (0, 1), (1, 2)])
@pytest.mark.parametrize(
    "sizes",
    [(1e3, 1e3, 1e3, 1e3), (5e6, 1e3, 1e3, 5e6), (1e3, 5e6, 1e3, 1e3), (5e6, 5e6, 5e6, 5e6)],
)
def test_no_division_between_the_edge_and_a_cloud_is_done_sooner(
    make_scenario, sizes, head, tail
) -> None:
    model = TwoParts(chain=chain_of(*sizes), model_input=THIN)
    policy = MinCut(head=head, tail=tail)
    scenario = make_scenario(policy, workload=Workload(model, At((0.0,)), 1))
    found_s = Simulator().run(scenario).outcomes[0].latency_s
    stay = {*range(head), *range(len(sizes) - tail, len(sizes))}
    best_s = min(
        predicted_s(nodes, model)
        for cloud in ("a", "b")
        for nodes in product(("edge", cloud), repeat=len(sizes))
        if all(nodes[place] == "edge" for place in stay)
    )
    assert found_s == pytest.approx(best_s, rel=1e-9)


@pytest.mark.parametrize("name", ["sam-vit-b", "sam-small"])
def test_without_pins_a_chain_is_divided_at_least_as_well_as_by_one_cut(
    make_scenario, name
) -> None:
    work = Workload(model_named(name), At((0.0,)), 1)
    once_s, any_s = (
        Simulator().run(make_scenario(policy, workload=work)).outcomes[0].latency_s
        for policy in (BestSplit(), MinCut())
    )
    assert any_s <= once_s * (1 + 1e-9)


def test_ends_that_stay_are_at_the_edge_though_it_takes_longer() -> None:
    model = TwoParts(chain=chain_of(1e3, 1e3, 1e3), model_input=THIN)
    assert nodes_of(plan_for(MinCut(), model, view_of(small_topology()))) == ["edge", "a"]
    ended = plan_for(MinCut(head=1, tail=1), model, view_of(small_topology()))
    assert nodes_of(ended) == ["edge", "edge", "a", "edge"]
    kept = plan_for(MinCut(tail=7), model, view_of(small_topology()))
    assert set(nodes_of(kept)) == {"edge"}


def test_a_busy_cloud_is_passed_over() -> None:
    model = TwoParts(chain=chain_of(1e3, 1e3, 1e3, 1e3), model_input=THIN)
    slower = model_with(model, 4e12)
    assert "a" in nodes_of(plan_for(MinCut(), slower, view_of(small_topology())))
    assert "a" not in nodes_of(plan_for(MinCut(), slower, view_of(small_topology(), a=99.0)))


def model_with(model: TwoParts, flops: float) -> TwoParts:
    chain = tuple(replace(e, stage=replace(e.stage, flops=flops)) for e in model.chain)
    return replace(model, chain=chain)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(PolicyError, match="head: -1 is negative"):
        MinCut(head=-1)
