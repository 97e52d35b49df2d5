"""The designs of the table are policies of both worlds that it is made in."""

import pytest

from experiments.laboratory.idle import idle_view
from experiments.laboratory.table import DESIGNS
from experiments.scenarios.loader import load
from sim.policy import UNTOUCHED
from workloads.stage import Request


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", ["small-sam-16", "jetson-16-clouds"])
def test_each_plans_in_the_world_of_pictures_and_in_that_of_latencies(name, design):
    scenario = load(name, policy=design)
    request = Request(0, 0.0, scenario.origins[0], scenario.workload.model)
    plan = scenario.policy.plan(request, UNTOUCHED, idle_view(scenario))
    assert plan.completes
    limit = 4 if "clouds=4" in design else 16
    trusted = {node.name for node in scenario.topology.nodes if node.trusted}
    clouds = {getattr(step, "node", scenario.origins[0]) for step in plan.steps} - trusted
    assert len(clouds) == limit


def test_none_is_there_twice():
    assert len(set(DESIGNS)) == len(DESIGNS)
