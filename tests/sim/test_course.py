import pytest

from sim.cost import Roofline
from sim.course import Course, Ended, Onward, planned, settled
from sim.errors import CannotServeError, PlanError, PolicyError
from sim.plan import Compute, Plan, Step, Transfer
from sim.policy import UNTOUCHED, Estimates, Progress, View
from sim.trace import FAILED, FINISHED, HAS_FINISHED, WAS_LOST
from tests.conftest import Scripted, TwoParts, small_topology
from workloads.stage import Payload, Request, Stage

REQUEST = Request(7, 0.0, "edge", TwoParts())
ON_A, ON_B = (Compute(node, (Stage("work", 1e12, 0.0),)) for node in "ab")


def stands(step: Step, end_s: float) -> bool:
    del step, end_s
    return True


def view() -> View:
    topology = small_topology()
    rates = tuple(channel.rate_bits_per_s for channel in topology.channels)
    return View(0.0, 0.0, Estimates(topology, Roofline(), rates), {}, ())


def course_of(*steps: Step, completes: bool = True, progress: Progress = UNTOUCHED) -> Course:
    return Course(REQUEST, Plan(steps, completes), progress)


def finish(course: Course, index: int, end_s: float) -> None:
    course.states[index] = HAS_FINISHED
    course.end_s[index] = end_s
    course.walk.finish(index)


def lose(course: Course, index: int) -> None:
    course.states[index] = WAS_LOST
    course.walk.lose(index)


def test_a_plan_that_completes_ends_its_request() -> None:
    course = course_of(ON_A)
    finish(course, 0, 1.0)
    assert settled(course, 10, stands) == Ended(FINISHED, "")


def test_a_plan_that_does_not_complete_leads_on_with_what_stands() -> None:
    course = course_of(ON_A, ON_B, completes=False)
    finish(course, 0, 1.0)
    finish(course, 1, 2.0)
    then = settled(course, 10, lambda _, end_s: end_s > 1.5)
    assert then == Onward(Progress(1, (ON_B,), tokens=(0,)), ((ON_B, 2.0, 0),))


def test_what_earlier_plans_left_is_kept_and_may_fall() -> None:
    course = Course(REQUEST, Plan((ON_B,), completes=False), UNTOUCHED, ((ON_A, 1.0, 0),))
    finish(course, 0, 2.0)
    assert settled(course, 10, stands) == Onward(
        Progress(1, (ON_A, ON_B), tokens=(0, 0)), ((ON_A, 1.0, 0), (ON_B, 2.0, 0))
    )


def test_a_lost_plan_counts_as_a_failure_until_there_are_too_many() -> None:
    course = course_of(ON_A, ON_B, progress=Progress(plans=4, failures=1))
    finish(course, 0, 1.0)
    lose(course, 1)
    progress = Progress(5, (ON_A,), (ON_B,), 2, tokens=(0,))
    assert settled(course, 3, stands) == Onward(progress, ((ON_A, 1.0, 0),))
    assert settled(course, 2, stands) == Ended(FAILED, "2 of its plans were lost")


def test_a_plan_that_would_be_asked_for_for_ever_is_refused() -> None:
    with pytest.raises(PlanError, match="request 7: plan 1 has no step"):
        settled(course_of(completes=False), 10, stands)


def test_the_policy_s_plan_is_handed_on_and_anything_else_refused() -> None:
    plan = Plan((ON_A,))
    assert planned(Scripted((plan,)), REQUEST, UNTOUCHED, view()) is plan

    class Wordy:
        def plan(self, request: Request, progress: Progress, view: View) -> str:
            del request, progress, view
            return "run it on a"

    with pytest.raises(PolicyError, match=r"Wordy\.plan returned str for request 7"):
        planned(Wordy(), REQUEST, UNTOUCHED, view())


def test_a_request_that_cannot_be_served_is_the_runner_s_to_end() -> None:
    class Helpless:
        def plan(self, request: Request, progress: Progress, view: View) -> Plan:
            del request, progress, view
            raise CannotServeError("no cloud is up")

    with pytest.raises(CannotServeError, match="no cloud is up"):
        planned(Helpless(), REQUEST, UNTOUCHED, view())


def test_what_came_of_guesses_is_kept_with_the_step_that_checked_them() -> None:
    checking = Compute("a", (Stage("check", 1.0, 0.0, makes=Payload("token", tokens=5)),))
    sending = Transfer("a", "b", Payload("token", tokens=5, fixed_bytes=20.0), after=(0,))
    course = course_of(checking, sending, ON_B, completes=False)
    course.note_made(0, 2)
    course.ended = True
    for index, end_s in enumerate((1.0, 2.0, 3.0)):
        finish(course, index, end_s)
    then = settled(course, 10, stands)
    assert isinstance(then, Onward)
    assert then.progress.tokens == (2, 2, 0)
    assert then.progress.ended
    assert [tokens for _, _, tokens in then.kept] == [2, 2, 0]


def test_a_step_whose_tokens_nobody_counted_made_those_that_were_planned() -> None:
    one = Compute("a", (Stage("choose", 1.0, 0.0, makes=Payload("token", tokens=1)),))
    course = course_of(one, completes=False)
    finish(course, 0, 1.0)
    then = settled(course, 10, stands)
    assert isinstance(then, Onward)
    assert then.progress.tokens == (1,)
