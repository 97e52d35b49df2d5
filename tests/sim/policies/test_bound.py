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
from tests.conftest import At
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
    found = {each: latency_s(scenario, Sharded(mode, each, "int8")) for each in ASSIGNMENTS}
    assert min(found.values()) >= bound_s
    assert min(found.values()) <= 1.5 * bound_s, found
