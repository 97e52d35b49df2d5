"""What every runner must do with a plan; each runner is one more parameter."""

from collections import Counter

import pytest

from sim.plan import Compute, Plan, Transfer
from sim.runner import Runner
from sim.trace import CANCELLED, FAILED, FINISHED, Trace
from tests.conftest import MakeScenario, Scripted, TwoParts
from tests.contracts.conftest import About
from workloads.arrivals import Closed
from workloads.stage import Payload, Stage
from workloads.workload import Workload

SECOND = Stage("second", 1e12, 0.0)  # a second on the edge and on b, half of one on a
PARTS = Payload("pixels", (0,), fixed_bytes=1e5)

FORK_JOIN = Plan(
    (
        Compute("edge", (SECOND,)),
        Transfer("edge", "a", PARTS, after=(0,)),
        Transfer("edge", "b", PARTS, after=(0,)),
        Compute("a", (SECOND,), (1,)),
        Compute("b", (SECOND,), (2,)),
        Transfer("a", "edge", PARTS, after=(3,)),
        Transfer("b", "edge", PARTS, after=(4,)),
        Compute("edge", (SECOND,), (5, 6)),
    )
)


@pytest.fixture(scope="module")
def traces() -> dict[type[Runner], Trace]:
    """What `fork_join` has run already."""
    return {}


@pytest.fixture
def fork_join(
    runner: Runner, make_scenario: MakeScenario, traces: dict[type[Runner], Trace]
) -> Trace:
    """What three requests in short succession left; run once for all who only read it."""
    if type(runner) not in traces:
        scenario = make_scenario(Scripted((FORK_JOIN,)), arrivals_s=(0.0, 0.1, 0.2))
        traces[type(runner)] = runner.run(scenario)
    return traces[type(runner)]


def test_every_request_ends_once(fork_join: Trace) -> None:
    assert sorted(outcome.request.index for outcome in fork_join.outcomes) == [0, 1, 2]
    assert {outcome.outcome for outcome in fork_join.outcomes} == {FINISHED}
    assert all(outcome.latency_s > 0 for outcome in fork_join.outcomes)


def test_every_step_leaves_one_record(fork_join: Trace) -> None:
    counts = Counter((record.request, record.step) for record in fork_join.records)
    assert counts == {(request, step): 1 for request in range(3) for step in range(8)}


def test_no_step_starts_before_what_it_waits_for(fork_join: Trace) -> None:
    records = {(record.request, record.step): record for record in fork_join.records}
    for (request, step), record in records.items():
        assert record.queued_s <= record.start_s <= record.end_s
        for early in record.plan.steps[step].after:
            assert records[request, early].end_s <= record.queued_s


def test_records_stand_in_the_order_in_which_they_ended(fork_join: Trace) -> None:
    ends = [record.end_s for record in fork_join.records]
    assert ends == sorted(ends)


def test_a_request_is_planned_again_until_a_plan_completes_it(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    first = Plan((Compute("edge", (SECOND,)),), completes=False)
    last = Plan((Compute("a", (SECOND,)),))
    policy = Scripted((first, first, last))
    trace = runner.run(make_scenario(policy))
    assert [progress.plans for _, progress, _ in policy.seen] == [0, 1, 2]
    assert policy.seen[2][1].finished == (first.steps[0], first.steps[0])
    assert [record.attempt for record in trace.records] == [0, 1, 2]
    assert len(trace.outcomes) == 1


def test_a_client_of_a_closed_loop_asks_again_when_it_has_its_answer(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    workload = Workload(TwoParts(), Closed(2, think_s=0.5), 4)
    plan = Plan((Compute("edge", (SECOND,)),))
    trace = runner.run(make_scenario(Scripted((plan,)), workload=workload))
    assert sorted(outcome.request.index for outcome in trace.outcomes) == list(range(4))
    ends_s = sorted(outcome.end_s for outcome in trace.outcomes)
    assert ends_s == [about(1.0), about(2.0), about(3.0), about(4.0)]
    arrivals_s = sorted(outcome.request.arrival_s for outcome in trace.outcomes)
    asked_s = [0.0, 0.0, *(end_s + 0.5 for end_s in ends_s[:2])]
    assert arrivals_s == [about(moment_s) for moment_s in asked_s]


def test_a_request_that_is_not_answered_in_time_is_given_up(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    slow = Plan((Compute("a", (SECOND, SECOND, SECOND)), Compute("edge", (SECOND,), (0,))))
    scenario = make_scenario(Scripted((slow,)), arrivals_s=(0.0, 0.1), patience_s=1.0)
    trace = runner.run(scenario)
    assert [(o.request.index, o.outcome, o.reason) for o in trace.outcomes] == [
        (0, FAILED, "not answered within 1 s"),
        (1, FAILED, "not answered within 1 s"),
    ]
    ends_s = [outcome.end_s for outcome in trace.outcomes]
    assert ends_s == [about(1.0), about(1.1)]
    assert [(r.request, r.step, r.outcome) for r in trace.records] == [
        (0, 0, CANCELLED),
        (1, 0, CANCELLED),
    ]
    assert trace.busy_s["a"] == about(1.1)


def test_patience_takes_nothing_from_a_request_that_is_answered(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    scenario = make_scenario(Scripted((FORK_JOIN,)), patience_s=60.0)
    trace = runner.run(scenario)
    assert {outcome.outcome for outcome in trace.outcomes} == {FINISHED}
    assert trace.end_s < 20


def test_the_first_of_two_cancels_the_other(runner: Runner, make_scenario: MakeScenario) -> None:
    race = Plan(
        (
            Compute("a", (SECOND,)),
            Compute("b", (SECOND,)),
            Compute("edge", (SECOND,), (0, 1), need=1),
        )
    )
    trace = runner.run(make_scenario(Scripted((race,)), arrivals_s=(0.0, 0.0)))
    outcomes = {(record.request, record.step): record.outcome for record in trace.records}
    assert {outcomes[request, 0] for request in (0, 1)} == {FINISHED}
    assert {outcomes[request, 2] for request in (0, 1)} == {FINISHED}
    assert {outcomes[request, 1] for request in (0, 1)} == {CANCELLED}
    assert len(trace.outcomes) == 2


def test_a_cancelled_transfer_frees_the_link(runner: Runner, make_scenario: MakeScenario) -> None:
    large = Payload("pixels", (0,), fixed_bytes=5e7)
    race = Plan(
        (
            Transfer("edge", "a", PARTS),
            Transfer("edge", "b", large),
            Compute("a", (SECOND,), (0, 1), need=1),
        )
    )
    trace = runner.run(make_scenario(Scripted((race,))))
    outcomes = {record.step: record.outcome for record in trace.records}
    assert outcomes == {0: FINISHED, 1: CANCELLED, 2: FINISHED}
    assert trace.end_s < 10  # the large one alone would take 50 s


def test_a_step_that_nobody_needs_any_more_never_starts(
    runner: Runner, make_scenario: MakeScenario
) -> None:
    race = Plan(
        (
            Compute("a", (SECOND,)),
            Compute("b", (SECOND, SECOND)),
            Transfer("b", "edge", PARTS, after=(1,)),
            Compute("edge", (SECOND,), (0, 2), need=1),
        )
    )
    trace = runner.run(make_scenario(Scripted((race,))))
    assert {record.step for record in trace.records} == {0, 1, 3}


def test_an_empty_plan_that_completes_ends_the_request_at_once(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    trace = runner.run(make_scenario(Scripted((Plan(()),)), arrivals_s=(0.5,)))
    assert trace.outcomes[0].latency_s == about(0.0)
    assert trace.records == []
