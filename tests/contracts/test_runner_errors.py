"""A plan that cannot be run is refused in one line, whoever was to run it."""

import pytest

from sim.errors import PlanError, PolicyError
from sim.plan import Compute, Plan, Transfer
from sim.runner import Runner
from tests.conftest import MakeScenario, Scripted
from topologies.errors import TopologyError
from workloads.stage import Payload, Stage

STAGE = Stage("s", 1e9, 0.0)


def test_a_node_that_is_not_there(runner: Runner, make_scenario: MakeScenario) -> None:
    with pytest.raises(TopologyError, match="no node 'egde'; did you mean 'edge'"):
        runner.run(make_scenario(Scripted((Plan((Compute("egde", (STAGE,)),)),))))


def test_a_node_without_a_device(runner: Runner, make_scenario: MakeScenario) -> None:
    with pytest.raises(PlanError, match="node 'router' has no device"):
        runner.run(make_scenario(Scripted((Plan((Compute("router", (STAGE,)),)),))))


def test_a_transfer_to_nowhere(runner: Runner, make_scenario: MakeScenario) -> None:
    plan = Plan((Transfer("edge", "c", Payload("x", fixed_bytes=1.0)),))
    with pytest.raises(TopologyError, match="no node 'c'"):
        runner.run(make_scenario(Scripted((plan,))))


def test_a_policy_that_returns_no_plan(runner: Runner, make_scenario: MakeScenario) -> None:
    with pytest.raises(PolicyError, match="returned NoneType for request 0; it must return a Plan"):
        runner.run(make_scenario(Scripted((None,))))


def test_a_policy_that_would_plan_for_ever(runner: Runner, make_scenario: MakeScenario) -> None:
    with pytest.raises(PlanError, match="no step and does not complete the request"):
        runner.run(make_scenario(Scripted((Plan((), completes=False),))))
