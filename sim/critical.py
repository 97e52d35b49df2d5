"""The critical path: which steps a request's latency is made of.

Walking back from the step that ended last, each step was held up by the one of its predecessors
that finished last before it could begin. The waiting and the running of these steps add up to
the latency of the plan.
"""

from collections.abc import Sequence

from sim.plan import Plan
from sim.trace import HAS_FINISHED


def critical_steps(
    plan: Plan, queued_s: Sequence[float], end_s: Sequence[float], states: Sequence[int]
) -> list[int]:
    """Return the steps on the critical path, first to last; only finished steps are on it.

    The sequences have one entry per step of the plan, as in `sim.trace.Columns`.
    """
    finished = [step for step, state in enumerate(states) if state == HAS_FINISHED]
    if not finished:
        return []
    path = [max(finished, key=end_s.__getitem__)]
    while True:
        ready_s = queued_s[path[-1]]
        held_up_by = [
            early
            for early in plan.steps[path[-1]].after
            if states[early] == HAS_FINISHED and end_s[early] <= ready_s
        ]
        if not held_up_by:
            return path[::-1]
        path.append(max(held_up_by, key=end_s.__getitem__))
