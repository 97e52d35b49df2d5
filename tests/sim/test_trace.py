import numpy as np

from sim.plan import Compute, Plan
from sim.trace import CANCELLED, FINISHED, Outcome, Sink, Trace
from tests.conftest import TwoParts, small_topology
from workloads.stage import Request, Stage

STAGE = (Stage("s", 1.0, 1.0),)
PAIR = Plan((Compute("a", STAGE), Compute("b", STAGE)))
ONE = Plan((Compute("a", STAGE),))


def trace_of_three_plans() -> Trace:
    trace = Trace("sim", small_topology())
    trace.add(7, 0, PAIR, [0.0, 0.0], [0.0, 1.0], [4.0, 2.0], bytes([1, 2]))
    trace.add(3, 0, ONE, [0.5], [0.5], [3.0], bytes([1]))
    trace.add(7, 1, PAIR, [4.0, 0.0], [4.0, 0.0], [5.0, 0.0], bytes([1, 0]))
    return trace


def test_columns_stand_plan_by_plan() -> None:
    columns = trace_of_three_plans().columns()
    assert columns.execution.tolist() == [0, 0, 1, 2, 2]
    assert columns.request.tolist() == [7, 7, 3, 7, 7]
    assert columns.attempt.tolist() == [0, 0, 0, 1, 1]
    assert columns.plan.tolist() == [0, 0, 1, 0, 0]
    assert columns.step.tolist() == [0, 1, 0, 0, 1]
    assert columns.end_s.tolist() == [4.0, 2.0, 3.0, 5.0, 0.0]


def test_records_stand_in_the_order_of_their_ends_without_what_never_began() -> None:
    records = trace_of_three_plans().records
    assert [(r.request, r.attempt, r.step, r.outcome) for r in records] == [
        (7, 0, 1, CANCELLED),
        (3, 0, 0, FINISHED),
        (7, 0, 0, FINISHED),
        (7, 1, 0, FINISHED),
    ]
    assert records[1].plan is ONE


def test_an_empty_trace_has_empty_columns() -> None:
    trace = Trace("sim", small_topology())
    assert all(len(column) == 0 for column in trace.columns())
    assert trace.records == []
    assert trace.columns().end_s.dtype == np.float64


def test_a_sink_is_given_requests_that_have_ended_with_all_their_steps() -> None:
    chunks: list[Trace] = []
    trace = Trace("sim", small_topology(), Sink(chunks.append, steps=3))
    trace.add(0, 0, PAIR, [0.0, 0.0], [0.0, 1.0], [4.0, 2.0], bytes([1, 1]))
    trace.add(1, 0, ONE, [0.5], [0.5], [3.0], bytes([1]))
    trace.end(outcome_of(1))
    assert [outcome.request.index for outcome in chunks[0].outcomes] == [1]
    assert chunks[0].columns().request.tolist() == [1]
    assert chunks[0].plans == [ONE]
    assert trace.columns().request.tolist() == [0, 0]
    trace.add(0, 1, ONE, [5.0], [5.0], [6.0], bytes([2]), {0: 0.25})
    trace.end(outcome_of(0))
    assert len(chunks) == 1  # what was left over does not count towards the next chunk
    trace.hand_over()
    columns = chunks[1].columns()
    assert columns.request.tolist() == [0, 0, 0]
    assert columns.attempt.tolist() == [0, 0, 1]
    assert [chunks[1].plans[plan] for plan in columns.plan] == [PAIR, PAIR, ONE]
    assert columns.end_s.tolist() == [4.0, 2.0, 6.0]
    assert columns.used.tolist()[2] == 0.25
    assert np.isnan(columns.used[:2]).all()
    assert len(trace.columns().step) == len(trace.outcomes) == len(trace.plans) == 0


def test_without_a_sink_a_trace_keeps_everything() -> None:
    trace = trace_of_three_plans()
    trace.end(outcome_of(7))
    trace.hand_over()
    assert len(trace.outcomes) == 1
    assert len(trace.columns().step) == 5


def outcome_of(request: int) -> Outcome:
    return Outcome(Request(request, 0.0, "edge", TwoParts()), 9.0, FINISHED, "")
