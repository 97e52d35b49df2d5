"""No assignment is answered sooner than is proven possible, and one comes near."""

from dataclasses import replace

import pytest

from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.policies.bound import least_latency_s
from sim.policies.placement import Job
from sim.policies.sharded import Sharded
from sim.policy import Estimates
from sim.runner import Scenario
from tests.conftest import At, device
from tests.sim.policies.test_chain import view_of
from topologies.topology import Link, Node, Topology
from workloads.catalogue import model_named
from workloads.workload import Workload

ASSIGNMENTS = ("round-robin", "contiguous", "speed-proportional", "heft", "least-makespan")


def latency_s(scenario: Scenario, policy: Sharded) -> float:
    alone = Workload(scenario.workload.model, At((0.0,)), 1)
    case = replace(scenario, workload=alone, policy=policy, replications=1, warm_up=0)
    return Simulator().run(case).outcomes[0].latency_s


@pytest.mark.parametrize("mode", ["deferred", "exact"])
def test_none_is_answered_sooner_than_the_bound(mode: str) -> None:
    scenario = load("jetson-16-clouds")
    rates = tuple(channel.rate_bits_per_s for channel in scenario.topology.channels)
    world = Estimates(scenario.topology, scenario.cost, rates)
    job = Job(scenario.workload.model, scenario.origins[0])
    bound_s = least_latency_s(Sharded(mode, codec="int8"), job, world)
    found = {
        (each, *sending): latency_s(
            scenario, Sharded(mode, each, "int8", lanes=sending[0], piece=sending[1])
        )
        for each in ASSIGNMENTS
        for sending in ((0, 0), (6, 1))
    }
    assert min(found.values()) >= bound_s
    assert min(found.values()) <= 1.25 * bound_s, found


@pytest.mark.parametrize("mode", ["deferred", "exact", "prefix"])
def test_a_cloud_that_computes_one_piece_while_it_gets_the_next_is_no_sooner(mode: str) -> None:
    """One cloud takes about as long to compute as its link to carry: pieces halve the latency."""
    nodes = Node("edge", "edge", device("e", 1e12)), Node("a", "cloud", device("a", 3e12))
    alone = Topology("alone", nodes=nodes, links=(Link("edge", "a", 16e6, 0.01),))
    scenario = Scenario(
        "alone", alone, Workload(model_named("sam-vit-b"), At((0.0,)), 1), Sharded(mode), mode,
        ("edge",), 1.0,
    )  # fmt: skip
    world = view_of(alone).estimates
    bound_s = least_latency_s(Sharded(mode), Job(scenario.workload.model, "edge"), world)
    whole_s, *pieced_s = (
        latency_s(scenario, Sharded(mode, lanes=lanes, piece=piece))
        for lanes, piece in ((0, 0), (1, 1), (2, 1), (2, 2))
    )
    assert bound_s <= min(pieced_s) < 0.75 * whole_s
    assert min(pieced_s) < 1.25 * bound_s
