import numpy as np

from sim.plan import Compute, Plan
from sim.trace import CANCELLED, FINISHED, Trace
from tests.conftest import small_topology
from workloads.stage import Stage

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
