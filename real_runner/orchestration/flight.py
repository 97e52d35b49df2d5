"""A plan under way in real time: which of its steps workers have been told, and heard of.

A step can be handed out before it may begin, if all it waits for comes about on its own node:
the worker sees that for itself (`real_runner.workers.ledger`). So the plan of a sharded request
is handed out at once, and nothing waits for the orchestrator between its steps. What waits for
another node's work without a transfer between them, and joins that need only some of what they
list, is handed out when the walk says so.
"""

import asyncio
from functools import lru_cache

from sim.course import Course, Kept
from sim.plan import Plan, Step, Wait, end_of, place_of
from sim.policy import Progress
from workloads.stage import Request


class Flight:
    """One plan under way: its `Course`, and what is known of it while reports are on their way.

    ``told`` are the steps handed out, ``pending`` those of which a report is still to come though
    the plan may have ended without it, ``timers`` those of waits under way, ``used`` is as in
    `sim.trace.Trace.add`. ``job`` is the request's number among the workers. The
    lists are those of the course (which it has and is not: a compiled class takes no heirs).
    """

    __slots__ = (
        "begun", "course", "end_s", "job", "over", "pending", "plan", "progress", "queued_s",
        "request", "start_s", "states", "timers", "told", "used", "walk",
    )  # fmt: skip

    def __init__(
        self, request: Request, plan: Plan, progress: Progress, kept: Kept, job: int
    ) -> None:
        self.course = course = Course(request, plan, progress, kept)
        self.request = request
        self.plan = plan
        self.progress = progress
        self.walk = course.walk
        self.queued_s, self.start_s, self.end_s = course.queued_s, course.start_s, course.end_s
        self.states = course.states
        self.job = job
        self.told: set[int] = set()
        self.begun: set[int] = set()
        self.pending: set[int] = set()
        self.timers: dict[int, asyncio.TimerHandle] = {}
        self.used: dict[int, float] = {}
        self.over = False

    @property
    def attempt(self) -> int:
        """The number of this plan among those of its request, from 0."""
        return self.progress.plans


@lru_cache(maxsize=4096)
def at_once(plan: Plan) -> tuple[int, ...]:
    """Return the steps that can be handed out when the plan begins."""
    return tuple(
        index
        for index, step in enumerate(plan.steps)
        if not isinstance(step, Wait)
        and plan.needs[index] == len(step.after)
        and all(_tells(plan.steps[early], place_of(step)) for early in step.after)
    )


def _tells(early: Step, place: str) -> bool:
    """Whether the node at ``place`` knows by itself when a step has finished."""
    return not isinstance(early, Wait) and end_of(early) == place
