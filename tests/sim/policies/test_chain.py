"""Unsplit policies against cases small enough to enumerate."""

from dataclasses import replace

import pytest

from sim.cost import Roofline
from sim.engine.simulator import Simulator
from sim.errors import PolicyError
from sim.plan import Compute, Plan, Transfer
from sim.policies.chain import BestSplit, Local, Offload
from sim.policy import UNTOUCHED, Estimates, View
from tests.conftest import At, TwoParts, small_topology
from topologies.topology import Topology
from workloads.catalogue import model_named
from workloads.codec import codec_named
from workloads.stage import ChainLink, Payload, Request, Stage
from workloads.workload import Workload


def view_of(topology: Topology, **backlog_s: float) -> View:
    rates = tuple(channel.rate_bits_per_s for channel in topology.channels)
    idle = {node.name: 0.0 for node in topology.nodes if node.device}
    flows = (0,) * len(rates)
    return View(0.0, 0.0, Estimates(topology, Roofline(), rates), idle | backlog_s, flows)


def plan_for(policy, model, view: View) -> Plan:
    return policy.plan(Request(0, 0.0, "edge", model), UNTOUCHED, view)


def nodes_of(plan: Plan) -> list[str]:
    return [step.node for step in plan.steps if isinstance(step, Compute)]


def test_local_stays_at_the_edge() -> None:
    plan = plan_for(Local(), TwoParts(), view_of(small_topology()))
    assert set(nodes_of(plan)) == {"edge"}
    assert not any(isinstance(step, Transfer) for step in plan.steps)


def test_offload_takes_the_cloud_that_promises_the_earliest_answer() -> None:
    topology = small_topology()
    assert nodes_of(plan_for(Offload(), TwoParts(), view_of(topology))) == ["a"]
    assert nodes_of(plan_for(Offload(), TwoParts(), view_of(topology, a=5.0))) == ["b"]


def test_offload_sends_the_input_as_it_was_captured() -> None:
    plan = plan_for(Offload(), TwoParts(), view_of(small_topology()))
    sent = [step.size_bytes for step in plan.steps if isinstance(step, Transfer)]
    assert sent == [1e6, 1e4]


def chain_of(*output_bytes: float) -> tuple[ChainLink, ...]:
    return tuple(
        ChainLink(Stage(f"s{i}", 1e12, 0.0), Payload(f"t{i}", (0, 1), fixed_bytes=size))
        for i, size in enumerate(output_bytes)
    )


@pytest.mark.parametrize(
    ("captured", "expected"),
    [
        (chain_of(5e6, 1e4, 5e6, 1e4), 2),  # the only thin place is after the second stage
        (chain_of(5e6, 5e6, 5e6, 1e4), 4),  # no thin place: all at the edge, 4 s
        (chain_of(1e4, 1e4, 1e4, 1e4), 1),  # as early as it is thin
    ],
)
def test_the_best_cut_is_the_best_of_all(captured, expected) -> None:
    model = TwoParts(chain=captured, model_input=Payload("pixels", (0, 1), fixed_bytes=9e6))
    plan = plan_for(BestSplit(), model, view_of(small_topology()))
    at_edge = [
        stage.kind
        for step in plan.steps
        if isinstance(step, Compute) and step.node == "edge"
        for stage in step.stages
    ]
    assert len(at_edge) - 1 == expected  # the preparation apart


@pytest.mark.parametrize("name", ["sam-vit-b", "sam-vit-h", "sam-small"])
@pytest.mark.parametrize("codec", ["fp16", "int4"])
def test_the_forecast_of_the_best_cut_is_what_the_simulator_measures(
    make_scenario, name, codec
) -> None:
    policy = BestSplit(codec)
    model = model_named(name)
    scenario = make_scenario(policy, workload=Workload(model, At((0.0,)), 1))
    trace = Simulator().run(scenario)
    world = view_of(small_topology()).estimates
    stages = [link.stage for link in model.chain]
    payloads = [model.model_input, *(link.output for link in model.chain)]
    prepare_s = world.seconds((model.prepare,), "edge")

    def latency_s(cut: int, cloud: str) -> float:
        sent = payloads[cut].encoded_bytes(codec_named(codec))
        return (
            world.seconds(tuple(stages[:cut]), "edge")
            + world.transfer_s("edge", cloud, sent)
            + world.seconds(tuple(stages[cut:]), cloud)
            + world.transfer_s(cloud, "edge", payloads[-1].fixed_bytes)
        )

    best_s = min(
        world.seconds(tuple(stages), "edge"),
        *(latency_s(cut, cloud) for cut in range(len(stages)) for cloud in ("a", "b")),
    )
    assert trace.outcomes[0].latency_s == pytest.approx(prepare_s + best_s, rel=1e-9)


def test_a_topology_without_clouds_leaves_only_local() -> None:
    small = small_topology()
    alone = Topology("alone", nodes=small.nodes[:2], links=small.links[:1])
    assert nodes_of(plan_for(Local(), TwoParts(), view_of(alone)))
    for policy in (Offload(), BestSplit()):
        with pytest.raises(PolicyError, match=r"no untrusted cloud.*'local'"):
            plan_for(policy, TwoParts(), view_of(alone))


def test_a_trusted_cloud_is_no_stranger() -> None:
    small = small_topology()
    nodes = tuple(replace(node, trusted=True) if node.name == "a" else node for node in small.nodes)
    view = view_of(Topology("own", nodes, small.links))
    assert nodes_of(plan_for(Offload(), TwoParts(), view)) == ["b"]


def test_the_edge_may_be_named_but_must_be_trusted() -> None:
    view = view_of(small_topology())
    assert nodes_of(plan_for(Local(edge="edge"), TwoParts(), view))[0] == "edge"
    with pytest.raises(PolicyError, match="edge: node 'a' is not a trusted node with a device"):
        plan_for(Local(edge="a"), TwoParts(), view)
