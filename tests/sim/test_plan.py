import pytest

from sim.errors import PlanError
from sim.plan import Compute, Plan, PlanBuilder, Transfer
from workloads.stage import Payload, Stage

STAGE = Stage("s", 1.0, 1.0)


def test_a_plan_knows_who_waits_for_whom() -> None:
    plan = Plan((Compute("a", (STAGE,)), Compute("b", (STAGE,)), Compute("a", (STAGE,), (0, 1))))
    assert plan.successors == ((2,), (2,), ())
    assert plan.needs == (0, 0, 2)
    assert not plan.cancels


def test_a_join_of_the_first_of_two_cancels() -> None:
    plan = Plan((Compute("a", (STAGE,)), Compute("b", (STAGE,)), Compute("a", (STAGE,), (0, 1), 1)))
    assert plan.needs == (0, 0, 1)
    assert plan.cancels


@pytest.mark.parametrize(
    ("after", "need", "words"),
    [
        ((1,), 0, "only depend on steps listed before it"),
        ((0,), 0, "only depend on steps listed before it"),
        ((-1,), 0, "only depend on steps listed before it"),
    ],
)
def test_a_step_may_not_wait_for_itself_or_a_later_one(
    after: tuple[int, ...], need: int, words: str
) -> None:
    with pytest.raises(PlanError, match=words):
        Plan((Compute("a", (STAGE,), after, need),))


def test_a_step_may_not_need_more_than_it_waits_for() -> None:
    with pytest.raises(PlanError, match="step 1: needs 2 of 1 predecessors"):
        Plan((Compute("a", (STAGE,)), Compute("a", (STAGE,), (0,), 2)))


def test_a_step_may_not_wait_for_another_twice() -> None:
    with pytest.raises(PlanError, match="lists a step twice"):
        Plan((Compute("a", (STAGE,)), Compute("a", (STAGE,), (0, 0))))


def test_the_builder_leaves_out_what_does_nothing() -> None:
    builder = PlanBuilder()
    first = builder.compute("a", (STAGE,))
    assert builder.compute("a", (), first) == first
    assert builder.transfer("a", "a", Payload("x"), "fp16", first) == first
    there = builder.transfer("a", "b", Payload("x", elements=8, tokens=1), "int8", first)
    plan = builder.build(completes=False)
    assert there == (1,)
    assert isinstance(plan.steps[1], Transfer)
    assert plan.steps[1].size_bytes == 8 + 4  # eight numbers of a byte, one scale, one offset
    assert not plan.completes
