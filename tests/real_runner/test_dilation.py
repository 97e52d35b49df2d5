"""A dilated run lasts longer, and tells the same times."""

import time
from collections.abc import Iterator

import pytest

from real_runner.deployment import Deployment, NodeSpec
from real_runner.fleet.yards import ExternalYard
from real_runner.runner import RealRunner
from sim.errors import ScenarioError
from sim.faults import Fault, FaultPlan
from sim.plan import Compute, Plan
from sim.runner import Scenario
from sim.trace import FAILED, FINISHED
from tests.conftest import MakeScenario, Scripted
from tests.contracts.test_fault_contract import FirstUp
from tests.contracts.test_runner_contract import FORK_JOIN
from workloads.stage import Stage

SYNTHETIC = Deployment(default=NodeSpec(executor="synthetic"))
FACTOR = 3.0
QUARTER = Stage("quarter", 2.5e11, 0.0)  # a quarter of a second on the edge and on b


@pytest.fixture(scope="module")
def dilated() -> Iterator[RealRunner]:
    with RealRunner(SYNTHETIC, dilation=FACTOR) as runner:
        yield runner


def test_times_told_are_the_model_s_and_times_lived_are_longer(
    dilated: RealRunner, make_scenario: MakeScenario
) -> None:
    plan = Plan(
        (Compute("edge", (QUARTER,)), Compute("b", (QUARTER,), (0,)), Compute("a", (QUARTER,)))
    )
    scenario = make_scenario(Scripted((plan,)), arrivals_s=(0.0, 0.1))
    began_s = time.monotonic()
    slow = dilated.run(scenario)
    lived_s = time.monotonic() - began_s
    with RealRunner(SYNTHETIC) as undilated:
        fast = undilated.run(scenario)
    latencies_s = [[outcome.latency_s for outcome in trace.outcomes] for trace in (slow, fast)]
    assert latencies_s[0] == pytest.approx([0.5, 0.65], abs=0.1)
    assert latencies_s[0] == pytest.approx(latencies_s[1], abs=0.15)
    assert slow.busy_s == pytest.approx({"edge": 0.5, "a": 0.25, "b": 0.5}, abs=0.1)
    assert lived_s >= FACTOR * 0.75
    assert slow.end_s < lived_s / 2


def test_faults_and_patience_keep_the_model_s_time(
    dilated: RealRunner, make_scenario: MakeScenario
) -> None:
    faults = FaultPlan((Fault(0.3, "a", "leave"),))
    trace = dilated.run(make_scenario(FirstUp(), arrivals_s=(0.0, 0.4), faults=faults))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED] * 2
    assert trace.incidents[0].at_s == pytest.approx(0.3, abs=0.1)
    used = [s.node for r in trace.records if isinstance(s := r.plan.steps[r.step], Compute)]
    assert used == ["a", "b"]
    impatient = make_scenario(Scripted((FORK_JOIN,)), patience_s=0.5)
    (outcome,) = dilated.run(impatient).outcomes
    assert (outcome.outcome, outcome.reason) == (FAILED, "not answered within 0.5 s")
    assert outcome.end_s == pytest.approx(0.5, abs=0.1)


def test_what_runs_at_its_own_pace_cannot_be_dilated(make_scenario: MakeScenario) -> None:
    mixed = Deployment(default=NodeSpec(executor="synthetic"), nodes={"b": NodeSpec()})
    scenario: Scenario = make_scenario(Scripted((FORK_JOIN,)))
    with (
        RealRunner(mixed, dilation=2.0) as runner,
        pytest.raises(ScenarioError, match="node 'b': pace: native"),
    ):
        runner.run(scenario)


def test_what_is_elsewhere_cannot_be_dilated() -> None:
    with pytest.raises(ScenarioError, match="external links are as they are"):
        RealRunner(SYNTHETIC, external=ExternalYard({}, None), dilation=2.0)


@pytest.mark.parametrize("dilation", [0.5, 0.0, float("inf"), float("nan")])
def test_what_is_no_dilation_is_refused(dilation: float) -> None:
    with pytest.raises(ScenarioError, match="at least 1"):
        RealRunner(SYNTHETIC, dilation=dilation)
