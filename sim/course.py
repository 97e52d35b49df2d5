"""One plan under way for one request, and what becomes of the request when the plan has ended.

Every runner drives a `Course` per plan: the seam at which rounds, failures and adaptation are one
mechanism, in simulated and in real time. A plan is asked for with `planned`, walked by the
runner, and judged with `settled`.
"""

from collections.abc import Callable
from typing import NamedTuple

from sim.errors import PlanError, PolicyError
from sim.plan import Compute, Plan, Step
from sim.policy import Policy, Progress, View
from sim.trace import FAILED, FINISHED, HAS_FINISHED, WAS_LOST
from sim.walk import Walk
from workloads.stage import Request

Kept = tuple[tuple[Step, float, int], ...]
"""Finished steps, each with its end in seconds and the tokens of an answer that it made."""


class Course:
    """One plan under way for one request; the lists have one entry per step.

    ``queued_s``, ``start_s`` and ``end_s`` are as a `sim.trace.Record` has them, ``states`` as
    `sim.trace.Columns` has them. ``kept`` are the finished steps of earlier plans. ``made`` has the
    tokens of steps that could have made several, ``ended`` says that the last one ends the answer.
    """

    __slots__ = (
        "end_s", "ended", "kept", "made", "plan", "progress", "queued_s", "request", "start_s",
        "states", "walk",
    )  # fmt: skip

    def __init__(self, request: Request, plan: Plan, progress: Progress, kept: Kept = ()) -> None:
        steps = len(plan.steps)
        self.request = request
        self.plan = plan
        self.progress = progress
        self.kept = kept
        self.walk = Walk(plan)
        self.queued_s = [0.0] * steps
        self.start_s = [0.0] * steps
        self.end_s = [0.0] * steps
        self.states = bytearray(steps)
        self.made: dict[int, int] = {}
        self.ended = progress.ended

    def note_made(self, index: int, tokens: int) -> None:
        """Note how many tokens a computation made that could have made several."""
        self.made[index] = tokens
        for later in self.plan.successors[index]:
            step = self.plan.steps[later]
            if not isinstance(step, Compute) and step.tokens:  # which sends them on
                self.made[later] = tokens

    def finished(self) -> Kept:
        """Return the finished steps of this plan and of those before."""
        own = enumerate(zip(self.plan.steps, self.end_s, self.states, strict=True))
        return self.kept + tuple(
            (step, end_s, self.made.get(index, step.tokens))
            for index, (step, end_s, state) in own
            if state == HAS_FINISHED
        )

    def lost(self) -> tuple[Step, ...]:
        """Return the steps of this plan that were lost."""
        own = zip(self.plan.steps, self.states, strict=True)
        return tuple(step for step, state in own if state == WAS_LOST)


class Ended(NamedTuple):
    """The request has ended: its ``outcome``, and the reason where it did not finish."""

    outcome: str
    reason: str


class Onward(NamedTuple):
    """The request is to be planned again with ``progress``; ``kept`` goes into its next course."""

    progress: Progress
    kept: Kept


def planned(policy: Policy, request: Request, progress: Progress, view: View) -> Plan:
    """Ask ``policy`` for the next plan.

    Raises `PolicyError` where it returns none, and whatever `Policy.plan` raises.
    """
    plan = policy.plan(request, progress, view)
    if not isinstance(plan, Plan):
        raise PolicyError(
            f"{type(policy).__name__}.plan returned {type(plan).__name__} for request "
            f"{request.index}; it must return a Plan"
        )
    return plan


def settled(
    course: Course, most_plans: int, stands: Callable[[Step, float], bool]
) -> Ended | Onward:
    """Return what follows once every step of the plan has ended.

    A request fails once ``most_plans`` of its plans were lost. ``stands(step, end_s)`` says
    whether the result that a finished step left at ``end_s`` is still where it was. Raises
    `PlanError` for a plan that would be asked for again for ever.
    """
    plan, progress, walk = course.plan, course.progress, course.walk
    if plan.completes and not walk.failed:
        return _FINISHED
    if not plan.steps:
        raise PlanError(
            f"request {course.request.index}: plan {progress.plans + 1} has no step and "
            "does not complete the request; it would be planned for ever"
        )
    failures = progress.failures + walk.failed
    if failures >= most_plans:
        return Ended(FAILED, f"{failures} of its plans were lost")
    kept = tuple(each for each in course.finished() if stands(each[0], each[1]))
    onward = Progress(
        progress.plans + 1,
        tuple(step for step, _, _ in kept),
        course.lost(),
        failures,
        tuple(tokens for _, _, tokens in kept),
        course.ended,
    )
    return Onward(onward, kept)


_FINISHED = Ended(FINISHED, "")
