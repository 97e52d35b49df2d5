from sim.critical import critical_steps
from sim.plan import Compute, Plan
from sim.trace import FINISHED, Record
from workloads.stage import Stage

STAGE = Stage("s", 1.0, 1.0)


def test_the_path_follows_whoever_was_late() -> None:
    plan = Plan(
        (
            Compute("a", (STAGE,)),
            Compute("b", (STAGE,), (0,)),
            Compute("c", (STAGE,), (0,)),
            Compute("a", (STAGE,), (1, 2)),
        )
    )
    times = {0: (0.0, 1.0), 1: (1.0, 4.0), 2: (1.0, 3.0), 3: (4.0, 5.0)}
    records = {
        step: Record(0, 0, plan, step, queued, queued, end, FINISHED)
        for step, (queued, end) in times.items()
    }
    assert critical_steps(plan, records) == [0, 1, 3]


def test_of_a_race_the_winner_counts() -> None:
    plan = Plan((Compute("a", (STAGE,)), Compute("b", (STAGE,)), Compute("a", (STAGE,), (0, 1), 1)))
    records = {
        0: Record(0, 0, plan, 0, 0.0, 0.0, 1.0, FINISHED),
        2: Record(0, 0, plan, 2, 1.0, 1.0, 2.0, FINISHED),
    }
    assert critical_steps(plan, records) == [0, 2]


def test_nothing_finished_means_no_path() -> None:
    assert critical_steps(Plan((Compute("a", (STAGE,)),)), {}) == []
