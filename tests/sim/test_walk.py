from hypothesis import given
from hypothesis import strategies as st

from sim.plan import Compute, Plan
from sim.walk import Walk
from workloads.stage import Stage

STAGE = Stage("s", 1.0, 1.0)


def plan_of(*after_and_need: tuple[tuple[int, ...], int]) -> Plan:
    return Plan(tuple(Compute("n", (STAGE,), after, need) for after, need in after_and_need))


def test_fork_and_join() -> None:
    walk = Walk(plan_of(((), 0), ((0,), 0), ((0,), 0), ((1, 2), 0)))
    assert walk.first() == [0]
    assert walk.finish(0) == ([1, 2], [])
    assert walk.finish(2) == ([], [])
    assert walk.finish(1) == ([3], [])
    assert walk.open_steps == 1
    assert walk.finish(3) == ([], [])
    assert walk.open_steps == 0


def test_the_first_of_two_branches_cancels_the_whole_of_the_other() -> None:
    # 0 → 2 and 1 → 3 race; 4 needs one of 2 and 3.
    walk = Walk(plan_of(((), 0), ((), 0), ((0,), 0), ((1,), 0), ((2, 3), 1)))
    assert walk.first() == [0, 1]
    assert walk.finish(0) == ([2], [])
    assert walk.finish(2) == ([4], [1, 3])
    assert walk.open_steps == 1


def test_a_step_that_someone_else_waits_for_is_not_cancelled() -> None:
    # 2 needs one of 0 and 1; 3 needs 1 in any case.
    walk = Walk(plan_of(((), 0), ((), 0), ((0, 1), 1), ((1,), 0)))
    assert walk.finish(0) == ([2], [])


def test_a_step_that_becomes_ready_and_needless_at_once_never_starts() -> None:
    # 3 needs one of 0 and 2, so when 0 ends neither 2 nor 1, which only 2 waits for, is needed.
    walk = Walk(plan_of(((), 0), ((0,), 0), ((0, 1), 0), ((0, 2), 1)))
    assert walk.finish(0) == ([3], [1, 2])


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    size = draw(st.integers(1, 12))
    steps = []
    for index in range(size):
        after = tuple(sorted(draw(st.sets(st.integers(0, index - 1)) if index else st.just(set()))))
        steps.append((after, draw(st.integers(0, len(after)))))
    return plan_of(*steps)


@given(plans(), st.randoms(use_true_random=False))
def test_every_plan_ends_in_whatever_order_its_steps_finish(plan: Plan, random: object) -> None:
    walk = Walk(plan)
    running = walk.first()
    started = set(running)
    cancelled: set[int] = set()
    while running:
        step = running.pop(random.randrange(len(running)))  # type: ignore[attr-defined]
        ready, needless = walk.finish(step)
        assert not started & set(ready)
        assert not cancelled & set(ready)
        cancelled.update(needless)
        running = [other for other in running if other not in needless] + ready
        started.update(ready)
    assert walk.open_steps == 0
    assert started | cancelled == set(range(len(plan.steps)))


def test_a_loss_dooms_what_cannot_do_without_it_and_nothing_else() -> None:
    # 0 → 1 → 3 and 0 → 2 → 3; 4 stands alone.
    walk = Walk(plan_of(((), 0), ((0,), 0), ((0,), 0), ((1, 2), 0), ((), 0)))
    walk.finish(0)
    walk.lose(1)
    assert walk.open_steps == 2
    assert walk.finish(2) == ([], [])
    assert walk.finish(4) == ([], [])
    assert walk.open_steps == 0
    assert walk.failed


def test_a_join_of_the_first_of_two_stands_one_loss_but_not_two() -> None:
    plan = plan_of(((), 0), ((), 0), ((0, 1), 1))
    walk = Walk(plan)
    walk.lose(0)
    assert walk.finish(1) == ([2], [])
    walk.finish(2)
    assert walk.open_steps == 0
    assert not walk.failed
    walk = Walk(plan)
    walk.lose(0)
    walk.lose(1)
    assert walk.open_steps == 0
    assert walk.failed


@given(plans(), st.randoms(use_true_random=False), st.floats(0.0, 0.6))
def test_every_plan_ends_whatever_is_lost(plan: Plan, random: object, loss: float) -> None:
    walk = Walk(plan)
    running = walk.first()
    begun, finished, lost = set(running), set(), set()
    while running:
        step = running.pop(random.randrange(len(running)))  # type: ignore[attr-defined]
        if random.random() < loss:  # type: ignore[attr-defined]
            walk.lose(step)
            lost.add(step)
            continue
        ready, needless = walk.finish(step)
        finished.add(step)
        assert not begun & set(ready)
        begun.update(ready)
        running = [other for other in running if other not in needless] + ready
    assert walk.open_steps == 0
    sinks = {step for step, after in enumerate(plan.successors) if not after}
    assert walk.failed == bool(sinks - finished)
