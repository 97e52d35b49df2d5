"""What waits mean to every runner: joins by themselves, and help that is sent for after a while."""

import pytest

from sim.errors import PlanError, PolicyError
from sim.faults import Fault, FaultPlan
from sim.plan import Compute, Plan, PlanBuilder, Transfer, Wait
from sim.policy import Progress, View
from sim.runner import Runner
from sim.trace import CANCELLED, FAILED, FINISHED, LOST
from tests.conftest import MakeScenario, Scripted
from tests.contracts.conftest import About
from workloads.stage import Payload, Request, Stage

SECOND = Stage("second", 1e12, 0.0)  # a second on the edge and on b, half of one on a
PARTS = Payload("pixels", (0,), fixed_bytes=1e5)


def hedged(own: int, delay_s: float) -> Plan:
    """So many seconds' work on b; after a while a has one, too, and the first answer counts."""
    return Plan(
        (
            Compute("b", (SECOND,) * own),
            Wait("edge", delay_s),
            Compute("a", (SECOND,), (1,)),
            Wait("edge", after=(0, 2), need=1),
            Compute("edge", (SECOND,), (3,)),
        )
    )


def test_a_wait_takes_its_time_and_nothing_of_its_node(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    plan = Plan((Wait("edge", 2.0), Compute("edge", (SECOND,)), Compute("a", (SECOND,), (0,))))
    trace = runner.run(make_scenario(Scripted((plan,))))
    ends_s = {record.step: record.end_s for record in trace.records}
    assert ends_s == {0: about(2.0), 1: about(1.0), 2: about(2.5)}
    assert trace.busy_s["edge"] == about(1.0)
    (waited,) = (record for record in trace.records if record.step == 0)
    assert (waited.queued_s, waited.start_s) == (about(0.0), about(0.0))


def test_help_comes_after_the_wait_and_its_answer_counts(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    trace = runner.run(make_scenario(Scripted((hedged(own=5, delay_s=1.0),))))
    outcomes = {record.step: record.outcome for record in trace.records}
    assert outcomes == {0: CANCELLED, 1: FINISHED, 2: FINISHED, 3: FINISHED, 4: FINISHED}
    assert trace.outcomes[0].latency_s == about(2.5)


def test_who_is_quick_enough_needs_no_help(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    trace = runner.run(make_scenario(Scripted((hedged(own=1, delay_s=3.0),))))
    outcomes = {record.step: record.outcome for record in trace.records}
    assert outcomes == {0: FINISHED, 1: CANCELLED, 3: FINISHED, 4: FINISHED}
    assert trace.outcomes[0].latency_s == about(2.0)
    (waited,) = (record for record in trace.records if record.step == 1)
    assert waited.end_s == about(1.0)
    assert trace.busy_s["a"] == 0.0


def test_the_first_of_each_of_two_groups_is_enough(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    builder = PlanBuilder()
    quick, slow = (builder.compute(*each) for each in (("a", (SECOND,)), ("b", (SECOND,) * 4)))
    late = builder.transfer("edge", "b", PARTS, "fp16", builder.wait("edge", (), delay_s=1.0))
    one = builder.wait("edge", (*quick, *slow), need=1)
    two = builder.wait("edge", (*slow, *late), need=1)
    builder.compute("edge", (SECOND,), (*one, *two))
    trace = runner.run(make_scenario(Scripted((builder.build(),))))
    outcomes = {record.step: record.outcome for record in trace.records}
    assert outcomes[0] == FINISHED
    assert outcomes[1] == CANCELLED
    last = trace.records[-1]
    assert last.queued_s == about(1.14)  # 1 s, and 0.1 MB at 1 MB/s with 40 ms on the way


def test_a_request_that_only_waits_is_given_up_all_the_same(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    plan = Plan((Wait("edge", 60.0), Compute("edge", (SECOND,), (0,))))
    trace = runner.run(make_scenario(Scripted((plan,)), patience_s=0.5))
    assert [outcome.outcome for outcome in trace.outcomes] == [FAILED]
    assert [(record.step, record.outcome) for record in trace.records] == [(0, CANCELLED)]
    assert trace.records[0].end_s == about(0.5)


def test_on_a_node_that_is_gone_nothing_waits(runner: Runner, make_scenario: MakeScenario) -> None:
    plan = Plan((Wait("edge", 0.6), Wait("b", 0.1, (0,)), Compute("edge", (SECOND,), (1,))))
    faults = FaultPlan((Fault(0.2, "b", "crash"),), plans=1)
    trace = runner.run(make_scenario(Scripted((plan,)), faults=faults))
    assert [outcome.outcome for outcome in trace.outcomes] == [FAILED]
    assert {record.step: record.outcome for record in trace.records} == {0: FINISHED, 1: LOST}


class Failing:
    """Has the first request wait, then compute on a for long; has no plan for the second."""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        del progress, view
        if request.index:
            raise PolicyError("no plan")
        return Plan((Wait("edge", 0.8), Compute("a", (SECOND,) * 8, (0,))))


def test_a_run_that_fails_takes_its_waits_with_it(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    with pytest.raises(PolicyError, match="no plan"):
        runner.run(make_scenario(Failing(), arrivals_s=(0.0, 0.1)))
    plan = Plan((Wait("edge", 1.5), Compute("a", (SECOND,), (0,))))
    trace = runner.run(make_scenario(Scripted((plan,))))
    assert trace.outcomes[0].latency_s == about(2.0)  # nobody else computes on a


@pytest.mark.parametrize("delay_s", [-1.0, float("inf"), float("nan")])
def test_a_delay_that_is_none_is_refused(delay_s: float) -> None:
    with pytest.raises(PlanError, match="is no delay"):
        Wait("edge", delay_s)


def test_a_builder_adds_no_wait_that_does_nothing() -> None:
    builder = PlanBuilder()
    (only,) = builder.compute("edge", (SECOND,))
    assert builder.wait("edge", (only,), need=1) == (only,)
    assert builder.wait("edge", ()) == ()
    assert not any(isinstance(step, Transfer | Wait) for step in builder.build().steps)
