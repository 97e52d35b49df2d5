"""What policies that learn are told by every runner: how requests ended, and by what choice."""

import pytest

from sim.plan import Compute, Plan
from sim.policy import Ending, Progress, View
from sim.runner import Runner
from sim.trace import FAILED, FINISHED
from tests.conftest import MakeScenario
from tests.contracts.conftest import About
from workloads.stage import Request, Stage

SECOND = Stage("second", 1e12, 0.0)  # half of one on a


class Reading:
    """Computes on a, and keeps what it is shown; from the third request on that takes too long."""

    reads_endings = True

    def __init__(self) -> None:
        self.shown: list[tuple[Ending, ...]] = []

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        assert progress.plans == 0
        self.shown.append(view.endings)
        times = 1 if request.index < 2 else 4
        return Plan((Compute("a", (SECOND,) * times),), choice=f"number {request.index}")


class Heedless(Reading):
    reads_endings = False


def test_a_policy_that_reads_endings_is_shown_all_before(
    runner: Runner, make_scenario: MakeScenario, about: About
) -> None:
    policy = Reading()
    trace = runner.run(make_scenario(policy, arrivals_s=(0.0, 0.6, 1.2, 3.0), patience_s=1.5))
    assert len(trace.outcomes) == 4
    choices = [[(each.choice, each.outcome) for each in shown] for shown in policy.shown]
    assert choices == [
        [],
        [("number 0", FINISHED)],
        [("number 0", FINISHED), ("number 1", FINISHED)],
        [("number 0", FINISHED), ("number 1", FINISHED), ("number 2", FAILED)],
    ]
    assert [each.latency_s for each in policy.shown[-1]] == [about(0.5), about(0.5), about(1.5)]


def test_of_an_old_view_endings_are_old_too(runner: Runner, make_scenario: MakeScenario) -> None:
    policy = Reading()
    runner.run(make_scenario(policy, arrivals_s=(0.0, 0.7), view_age_s=0.5))
    assert policy.shown == [(), ()]


def test_others_are_shown_none(runner: Runner, make_scenario: MakeScenario) -> None:
    policy = Heedless()
    runner.run(make_scenario(policy, arrivals_s=(0.0, 0.7)))
    assert policy.shown == [(), ()]


def test_a_plan_has_no_choice_unless_it_says_so() -> None:
    with pytest.raises(TypeError):
        Ending("only a choice")  # type: ignore[call-arg]
    assert Plan(()).choice == ""
