"""What every runner must do when nodes and links fail; each runner is one more parameter."""

from collections import Counter
from dataclasses import dataclass

import pytest

from sim.engine.simulator import Simulator
from sim.errors import CannotServeError
from sim.faults import Fault, FaultPlan, RandomFaults
from sim.plan import Compute, Plan, PlanBuilder, Transfer
from sim.policies.sharded import Sharded
from sim.policy import Progress, View
from sim.runner import Runner
from sim.trace import CANCELLED, FAILED, FINISHED, LOST, REFUSED
from tests.conftest import At, MakeScenario, Scripted
from topologies.shipped import load
from workloads.catalogue import model_named
from workloads.stage import Payload, Request, Stage
from workloads.workload import Workload

SECOND = Stage("second", 1e12, 0.0)  # a second on the edge and on b, half of one on a
PARTS = Payload("pixels", (0,), fixed_bytes=1e5)  # 0.1 s on the access link


@pytest.fixture(params=[Simulator], ids=["simulator"])
def runner(request: pytest.FixtureRequest) -> Runner:
    return request.param()


@dataclass(frozen=True)
class FirstUp:
    """One computation on the first cloud that is up."""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        del request, progress
        up = [c.name for c in view.topology.clouds if view.estimates.is_up("edge", c.name)]
        if not up:
            raise CannotServeError("no cloud is up")
        builder = PlanBuilder()
        there = builder.transfer("edge", up[0], PARTS, "fp16", ())
        builder.transfer(up[0], "edge", PARTS, "fp16", builder.compute(up[0], (SECOND,), there))
        return builder.build()


def test_a_crash_loses_what_runs_there_and_the_request_is_planned_again(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    faults = FaultPlan((Fault(0.3, "a", "crash"),), detection_s=0.05)
    trace = runner.run(make_scenario(FirstUp(), faults=faults))
    rows = [
        (record.attempt, type(record.plan.steps[record.step]).__name__, record.outcome)
        for record in trace.records
    ]
    assert rows == [
        (0, "Transfer", FINISHED),
        (0, "Compute", LOST),
        (1, "Transfer", FINISHED),
        (1, "Compute", FINISHED),
        (1, "Transfer", FINISHED),
    ]
    assert trace.records[1].end_s == pytest.approx(0.3)
    assert trace.records[2].queued_s == pytest.approx(0.35)
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]


def test_a_crash_loses_transfers_to_and_from_the_node(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    for moment_s in (0.05, 0.75):  # on the way there, on the way back
        faults = FaultPlan((Fault(moment_s, "a", "crash"),))
        trace = runner.run(make_scenario(FirstUp(), faults=faults))
        assert [r.outcome for r in trace.records if r.attempt == 0][-1] == LOST
        assert trace.outcomes[0].outcome == FINISHED


def test_waiting_work_is_lost_with_its_node(runner: Runner, make_scenario: MakeScenario) -> None:
    faults = FaultPlan((Fault(0.3, "a", "crash"),))
    trace = runner.run(make_scenario(FirstUp(), arrivals_s=(0.0, 0.01, 0.02), faults=faults))
    outcomes = Counter(record.outcome for record in trace.records)
    assert outcomes[LOST] == 3
    assert {outcome.outcome for outcome in trace.outcomes} == {FINISHED}
    assert len(trace.outcomes) == 3


def test_a_request_that_nobody_can_serve_ends_with_its_reason(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    faults = FaultPlan((Fault(0.0, "a", "leave"), Fault(0.1, "b", "crash")))
    trace = runner.run(make_scenario(FirstUp(), arrivals_s=(0.05, 0.5), faults=faults))
    assert [(o.outcome, o.reason) for o in trace.outcomes] == [
        (REFUSED, "no cloud is up"),
        (REFUSED, "no cloud is up"),
    ]


def test_a_request_whose_plans_are_lost_too_often_fails(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    plan = Plan((Compute("a", (SECOND,)),))
    faults = FaultPlan((Fault(0.0, "a", "crash"),), plans=3)
    trace = runner.run(make_scenario(Scripted((plan,) * 3), arrivals_s=(0.1,), faults=faults))
    assert [(o.outcome, o.reason) for o in trace.outcomes] == [(FAILED, "3 of its plans were lost")]
    assert [record.attempt for record in trace.records] == [0, 1, 2]


def test_a_node_that_recovers_serves_again(runner: Runner, make_scenario: MakeScenario) -> None:
    faults = FaultPlan((Fault(0.3, "a", "crash"), Fault(1.0, "a", "recover")))
    trace = runner.run(make_scenario(FirstUp(), arrivals_s=(0.0, 2.0), faults=faults))
    last = [record.plan.steps[record.step] for record in trace.records if record.request == 1]
    assert isinstance(last[1], Compute)
    assert last[1].node == "a"


def test_a_node_that_leaves_finishes_what_it_has(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    faults = FaultPlan((Fault(0.3, "a", "leave"), Fault(5.0, "a", "join")))
    trace = runner.run(make_scenario(FirstUp(), arrivals_s=(0.0, 2.0, 6.0), faults=faults))
    computes = [s for r in trace.records if isinstance(s := r.plan.steps[r.step], Compute)]
    assert [step.node for step in computes] == ["a", "b", "a"]
    assert {record.outcome for record in trace.records} == {FINISHED}


def test_a_slow_node_takes_longer_from_then_on(runner: Runner, make_scenario: MakeScenario) -> None:
    plan = Plan((Compute("a", (SECOND,)),))  # half a second
    faults = FaultPlan((Fault(0.25, "a", "slow", 0.5),))
    trace = runner.run(make_scenario(Scripted((plan,)), faults=faults))
    assert trace.outcomes[0].latency_s == pytest.approx(0.25 + 0.25 / 0.5)


def test_an_outage_stalls_and_a_degraded_link_slows(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    plan = Plan((Transfer("edge", "a", Payload("x", fixed_bytes=1e6)),))  # 1.03 s
    stalled = FaultPlan(
        (Fault(0.53, "edge->router", "outage"), Fault(1.53, "edge->router", "restore"))
    )
    trace = runner.run(make_scenario(Scripted((plan,)), faults=stalled))
    assert trace.outcomes[0].latency_s == pytest.approx(2.03)
    degraded = FaultPlan((Fault(0.53, "edge->router", "degrade", 0.5),))
    trace = runner.run(make_scenario(Scripted((plan,)), faults=degraded))
    assert trace.outcomes[0].latency_s == pytest.approx(0.53 + 1.0)


def test_a_transfer_that_hangs_is_given_up(runner: Runner, make_scenario: MakeScenario) -> None:
    plan = Plan((Transfer("edge", "a", Payload("x", fixed_bytes=1e6)),))
    faults = FaultPlan((Fault(0.5, "router->a", "outage"),), timeout_s=2.0, plans=2)
    trace = runner.run(make_scenario(Scripted((plan,) * 2), faults=faults))
    assert [record.outcome for record in trace.records] == [LOST, LOST]
    assert trace.records[0].end_s == pytest.approx(2.0)
    assert trace.outcomes[0].outcome == FAILED


def test_a_redundant_plan_survives_a_crash(runner: Runner, make_scenario: MakeScenario) -> None:
    race = Plan(
        (
            Compute("a", (SECOND,)),
            Compute("b", (SECOND,)),
            Compute("edge", (SECOND,), (0, 1), need=1),
        )
    )
    policy = Scripted((race,))
    faults = FaultPlan((Fault(0.3, "a", "crash"),))
    trace = runner.run(make_scenario(policy, faults=faults))
    assert len(policy.seen) == 1
    assert {r.step: r.outcome for r in trace.records} == {0: LOST, 1: FINISHED, 2: FINISHED}


def test_a_loser_that_crashes_unnoticed_is_cancelled(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    race = Plan(
        (
            Compute("a", (SECOND,)),
            Compute("b", (SECOND, SECOND)),
            Compute("edge", (SECOND,), (0, 1), need=1),
        )
    )
    faults = FaultPlan((Fault(0.4, "b", "crash"),), detection_s=1.0)
    trace = runner.run(make_scenario(Scripted((race,)), faults=faults))
    crashed = next(record for record in trace.records if record.step == 1)
    assert crashed.outcome == CANCELLED
    assert crashed.end_s == pytest.approx(0.4)


def test_a_loser_on_a_node_that_was_down_already_ends_nothing(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    race = Plan(
        (
            Compute("a", (SECOND,)),
            Compute("b", (SECOND,)),
            Compute("edge", (SECOND, SECOND), (0, 1), need=1),
        )
    )
    faults = FaultPlan((Fault(0.0, "b", "crash"),), detection_s=1.0)
    trace = runner.run(make_scenario(Scripted((race,)), arrivals_s=(0.01,), faults=faults))
    assert trace.outcomes[0].latency_s == pytest.approx(2.5)
    assert len(trace.outcomes) == 1
    assert {r.step: r.outcome for r in trace.records} == {0: FINISHED, 2: FINISHED}


@pytest.mark.parametrize("mode", ["exact", "prefix", "deferred", "local-attention", "landmark"])
def test_sharded_requests_outlive_crashes_and_send_again_only_what_is_missing(
    runner: Runner, make_scenario: MakeScenario, mode: str
) -> None:
    model = model_named("sam-vit-b")
    scenario = make_scenario(
        Sharded(mode, "round-robin"),
        topology=load("jetson-16-clouds"),
        workload=Workload(model, At((0.0,)), 1),
        origins=("jetson",),
        faults=FaultPlan((Fault(0.03, "aws-metro-t4", "crash"),)),
    )
    trace = runner.run(scenario)
    assert trace.outcomes[0].outcome == FINISHED
    again = [r.plan.steps[r.step] for r in trace.records if r.attempt == 1]
    assert not any("aws-metro-t4" in (s.source, s.target) for s in again if isinstance(s, Transfer))
    sent = [s for s in again if isinstance(s, Transfer) and s.payload.tensor == "pixels"]
    windows = sorted(window for step in sent for window in step.payload.shard)
    expected = list(range(25)) if mode == "landmark" else [0, 16]
    assert windows == expected


def test_a_city_of_random_faults_answers_every_request_once(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    topology = load("orin-nano-4-clouds")
    faults = FaultPlan(
        random=tuple(RandomFaults(cloud.name, "crash", 3.0, 1.0) for cloud in topology.clouds)
    )
    scenario = make_scenario(
        Sharded("deferred", "round-robin", "int8"),
        topology=topology,
        workload=Workload(model_named("sam-vit-b"), At(tuple(range(60))), 60),
        origins=("orin-nano",),
        faults=faults,
    )
    trace, again = runner.run(scenario), runner.run(scenario)
    assert sorted(outcome.request.index for outcome in trace.outcomes) == list(range(60))
    assert LOST in {record.outcome for record in trace.records}
    assert [o[1:] for o in trace.outcomes] == [o[1:] for o in again.outcomes]
