"""The critical path: which steps a request's latency is made of.

Walking back from the step that ended last, each step was held up by the one of its predecessors
that finished last before it could begin. The waiting and the running of these steps add up to
the latency of the plan.
"""

from collections.abc import Mapping

from sim.plan import Plan
from sim.trace import Record


def critical_steps(plan: Plan, records: Mapping[int, Record]) -> list[int]:
    """Return the steps on the critical path, first to last; ``records`` are of finished steps."""
    if not records:
        return []
    current = max(records, key=lambda step: (records[step].end_s, step))
    path = [current]
    while True:
        ready_s = records[current].queued_s
        held_up = [
            early
            for early in plan.steps[current].after
            if early in records and records[early].end_s <= ready_s
        ]
        if not held_up:
            return path[::-1]
        current = max(held_up, key=lambda step: (records[step].end_s, step))
        path.append(current)
