"""One plan under way for one request, and what becomes of the request when the plan has ended.

Every runner drives a `Course` per plan: the seam at which rounds, failures and adaptation are one
mechanism, in simulated and in real time. A plan is asked for with `planned`, walked by the
runner, and judged with `settled`.
"""

from collections.abc import Callable
from typing import NamedTuple

from sim.errors import PlanError, PolicyError
from sim.plan import Plan, Step
from sim.policy import Policy, Progress, View
from sim.trace import FAILED, FINISHED, HAS_FINISHED, WAS_LOST
from sim.walk import Walk
from workloads.stage import Request

Kept = tuple[tuple[Step, float], ...]
"""Finished steps, each with its end in seconds."""


class Course:
    """One plan under way for one request; the lists have one entry per step.

    ``queued_s``, ``start_s`` and ``end_s`` are as a `sim.trace.Record` has them, ``states`` as
    `sim.trace.Columns` has them. ``kept`` are the finished steps of earlier plans.
    """

    __slots__ = (
        "end_s", "kept", "plan", "progress", "queued_s", "request", "start_s", "states", "walk",
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

    def finished(self) -> Kept:
        """Return the finished steps of this plan and of those before, each with its end."""
        own = zip(self.plan.steps, self.end_s, self.states, strict=True)
        return self.kept + tuple(
            (step, end_s) for step, end_s, state in own if state == HAS_FINISHED
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
    kept = tuple(pair for pair in course.finished() if stands(*pair))
    finished = tuple(step for step, _ in kept)
    return Onward(Progress(progress.plans + 1, finished, course.lost(), failures), kept)


_FINISHED = Ended(FINISHED, "")
