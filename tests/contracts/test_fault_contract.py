"""What every runner must do when nodes and links fail; each runner is one more parameter."""

from collections import Counter
from dataclasses import dataclass

import pytest

from sim.errors import CannotServeError
from sim.faults import Fault, FaultPlan, RandomFaults
from sim.plan import Compute, Plan, PlanBuilder, Transfer
from sim.policies.sharded import Sharded
from sim.policy import Progress, View
from sim.runner import Runner
from sim.trace import CANCELLED, FAILED, FINISHED, LOST, REFUSED, Sink, Trace
from tests.conftest import At, MakeScenario, Scripted
from tests.contracts.conftest import About
from topologies.device import Device
from topologies.shipped import load
from workloads.catalogue import model_named
from workloads.stage import Payload, Request, Stage
from workloads.workload import Workload

SECOND = Stage("second", 1e12, 0.0)  # a second on the edge and on b, half of one on a
PARTS = Payload("pixels", (0,), fixed_bytes=1e5)  # 0.1 s on the access link


@dataclass(frozen=True)
class FirstUp:
    """One computation on the first cloud that is up."""

    parts: Payload = PARTS

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        del request, progress
        up = [c.name for c in view.topology.clouds if view.estimates.is_up("edge", c.name)]
        if not up:
            raise CannotServeError("no cloud is up")
        builder = PlanBuilder()
        there = builder.transfer("edge", up[0], self.parts, "fp16", ())
        done = builder.compute(up[0], (SECOND,), there)
        builder.transfer(up[0], "edge", self.parts, "fp16", done)
        return builder.build()


def computed(trace: Trace) -> dict[int, str]:
    """Return, by request, the node whose computation came to its end."""
    return {
        record.request: step.node
        for record in trace.records
        if isinstance(step := record.plan.steps[record.step], Compute)
        and record.outcome == FINISHED
    }


def test_a_crash_loses_what_runs_there_and_the_request_is_planned_again(
    runner: Runner, make_scenario: MakeScenario, about: About
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
    assert trace.records[1].end_s == about(0.3)
    assert trace.records[2].queued_s == about(0.35)
    assert trace.records[2].queued_s >= trace.records[1].end_s
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]


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


def test_what_has_failed_is_known_however_old_the_view_is(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    faults = FaultPlan((Fault(0.3, "a", "crash"),), plans=2)
    trace = runner.run(make_scenario(FirstUp(), faults=faults, view_age_s=60.0))
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]


def test_a_node_that_recovers_serves_again(runner: Runner, make_scenario: MakeScenario) -> None:
    faults = FaultPlan((Fault(0.3, "a", "crash"), Fault(1.0, "a", "recover")))
    trace = runner.run(make_scenario(FirstUp(), arrivals_s=(0.0, 2.0), faults=faults))
    last = [record.plan.steps[record.step] for record in trace.records if record.request == 1]
    assert isinstance(last[1], Compute)
    assert last[1].node == "a"


def test_a_node_that_leaves_finishes_what_it_has(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    faults = FaultPlan((Fault(0.25, "a", "leave"), Fault(1.1, "a", "join")))
    trace = runner.run(make_scenario(FirstUp(), arrivals_s=(0.0, 0.7, 1.5), faults=faults))
    assert computed(trace) == {0: "a", 1: "b", 2: "a"}
    assert {record.outcome for record in trace.records} == {FINISHED}


def test_a_slow_node_takes_longer_from_then_on(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    plan = Plan((Compute("a", (SECOND, SECOND)),))  # a second
    faults = FaultPlan((Fault(0.25, "a", "slow", 0.5),))
    trace = runner.run(make_scenario(Scripted((plan,)), faults=faults))
    assert trace.outcomes[0].latency_s == about(0.25 + 0.75 / 0.5)


def test_a_node_that_hangs_goes_on_where_it_stood(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    plan = Plan((Compute("a", (SECOND, SECOND)),))  # a second
    faults = FaultPlan((Fault(0.5, "a", "hang"), Fault(1.5, "a", "resume")), silence_s=5.0)
    trace = runner.run(make_scenario(Scripted((plan,)), arrivals_s=(0.0, 0.7), faults=faults))
    assert {record.outcome for record in trace.records} == {FINISHED}
    ends_s = {outcome.request.index: outcome.end_s for outcome in trace.outcomes}
    assert ends_s == {0: about(2.0), 1: about(3.0)}
    assert [incident.kind for incident in trace.incidents] == ["hang", "resume"]


def test_transfers_of_a_node_that_hangs_wait_for_it(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    plan = Plan(
        (
            Transfer("edge", "a", PARTS),
            Transfer("b", "a", PARTS),
            Transfer("a", "edge", PARTS),
            Transfer("edge", "b", PARTS),
        )
    )
    faults = FaultPlan((Fault(0.0, "a", "hang"), Fault(1.7, "a", "resume")), silence_s=9.0)
    trace = runner.run(make_scenario(Scripted((plan,)), arrivals_s=(0.5,), faults=faults))
    resumed_s = next(each.at_s for each in trace.incidents if each.kind == "resume")
    ends_s = {record.step: record.end_s for record in trace.records}
    assert min(ends_s[0], ends_s[1], ends_s[2]) >= resumed_s
    assert ends_s[3] < resumed_s
    assert trace.outcomes[0].outcome == FINISHED


def test_a_node_that_is_silent_for_too_long_is_taken_for_dead(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    faults = FaultPlan((Fault(0.25, "a", "hang"), Fault(2.0, "a", "resume")), silence_s=0.5)
    scenario = make_scenario(FirstUp(), arrivals_s=(0.0, 1.3, 3.5), faults=faults)
    trace = runner.run(scenario)
    lost = [record for record in trace.records if record.outcome == LOST]
    assert [(record.request, type(record.plan.steps[record.step])) for record in lost] == [
        (0, Compute)
    ]
    assert lost[0].end_s == about(0.75)
    assert computed(trace) == {0: "b", 1: "b", 2: "a"}
    assert [incident.kind for incident in trace.incidents] == ["hang", "given-up", "resume"]


def test_a_node_that_crashes_while_it_hangs_stays_down_until_it_recovers(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    faults = FaultPlan(
        (
            Fault(0.25, "a", "hang"),
            Fault(0.6, "a", "crash"),
            Fault(0.9, "a", "resume"),
            Fault(1.9, "a", "recover"),
        ),
        silence_s=9.0,
    )
    trace = runner.run(make_scenario(FirstUp(), arrivals_s=(0.0, 1.4, 3.4), faults=faults))
    assert [record.outcome for record in trace.records].count(LOST) == 1
    assert computed(trace) == {0: "b", 1: "b", 2: "a"}


def test_faults_are_noted_as_they_strike(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    faults = FaultPlan(
        (
            Fault(0.1, "a", "slow", 0.5),
            Fault(0.2, "b", "crash"),
            Fault(99.0, "b", "recover"),
        )
    )
    chunks: list[Trace] = []
    scenario = make_scenario(Scripted((Plan((Compute("a", (SECOND,)),)),)), faults=faults)
    trace = runner.run(scenario, sink=Sink(chunks.append))
    assert [(i.target, i.kind, i.detail) for i in trace.incidents] == [
        ("a", "slow", "factor 0.5"),
        ("b", "crash", ""),
    ]
    assert [i.at_s for i in trace.incidents] == [about(0.1), about(0.2)]
    assert not any(chunk.incidents for chunk in chunks)


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


def test_a_loser_that_crashes_is_missed_by_nobody(
    runner: Runner, make_scenario: MakeScenario, about: About
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
    assert crashed.outcome in (CANCELLED, LOST)  # by whether it was noticed before it lost
    assert crashed.end_s == about(0.4)
    assert [outcome.outcome for outcome in trace.outcomes] == [FINISHED]
    assert trace.outcomes[0].latency_s == about(1.5)


def test_a_loser_on_a_node_that_was_down_already_ends_nothing(
    runner: Runner, make_scenario: MakeScenario, about: About
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
    assert trace.outcomes[0].latency_s == about(2.5)
    assert len(trace.outcomes) == 1
    assert {r.step for r in trace.records if r.outcome == FINISHED} == {0, 2}


@dataclass(frozen=True)
class Slow:
    """Clouds take a second and a half for the first blocks, the edge no time at all."""

    def seconds(self, stage: Stage, device: Device) -> float:
        if device.name.startswith("jetson"):
            return 0.0
        return 1.5 if 0 in stage.blocks else 0.05


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
        cost=Slow(),
        faults=FaultPlan((Fault(0.5, "aws-metro-t4", "crash"),)),
    )
    trace = runner.run(scenario)
    assert trace.outcomes[0].outcome == FINISHED
    again = [r.plan.steps[r.step] for r in trace.records if r.attempt == 1]
    assert not any("aws-metro-t4" in (s.source, s.target) for s in again if isinstance(s, Transfer))
    sent = [s for s in again if isinstance(s, Transfer) and s.payload.tensor == "pixels"]
    windows = sorted(window for step in sent for window in step.payload.shard)
    expected = list(range(25)) if mode == "landmark" else [0, 16]
    assert windows == expected


CITIZENS = 35


def test_a_city_of_random_faults_answers_every_request_once(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    topology = load("orin-nano-4-clouds")
    arrivals = At(tuple(0.1 * index for index in range(CITIZENS)))
    faults = FaultPlan(
        random=tuple(RandomFaults(cloud.name, "crash", 0.6, 0.3) for cloud in topology.clouds)
    )
    scenario = make_scenario(
        Sharded("deferred", "round-robin", "int8"),
        topology=topology,
        workload=Workload(model_named("sam-vit-b"), arrivals, CITIZENS),
        origins=("orin-nano",),
        faults=faults,
    )
    trace = runner.run(scenario)
    assert sorted(outcome.request.index for outcome in trace.outcomes) == list(range(CITIZENS))
    assert LOST in {record.outcome for record in trace.records}


@pytest.mark.parametrize("detection_s", [0.05, 5.0])
def test_patience_ends_a_request_whose_loss_nobody_has_noticed(
    runner: Runner, make_scenario: MakeScenario, detection_s: float
) -> None:
    """On a node that crashed under it, and on one that was down before; each ends once."""
    faults = FaultPlan((Fault(0.2, "a", "crash"),), detection_s=detection_s)
    plan = Plan((Compute("a", (SECOND,)), Compute("b", (SECOND, SECOND, SECOND))))
    scenario = make_scenario(
        Scripted((plan,) * 99), arrivals_s=(0.0, 0.5), faults=faults, patience_s=1.0
    )
    trace = runner.run(scenario)
    assert [(o.request.index, o.outcome, o.reason) for o in trace.outcomes] == [
        (0, FAILED, "not answered within 1 s"),
        (1, FAILED, "not answered within 1 s"),
    ]
