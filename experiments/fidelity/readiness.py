"""Steps timed from the moment when all that they need is there, in both worlds alike.

In the simulator a step could begin the moment that the steps before it have ended. For real there
is a moment between: a message to pass, a task to wake. It belongs to no step, and yet to the time
that a request takes. Here it is counted to the step that had to wait for it.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import isnan

from sim.plan import Plan
from sim.runner import Runner, Scenario
from sim.trace import HAS_FINISHED, NEVER_BEGUN, Columns, Sink, Trace


@dataclass(frozen=True)
class FromReady:
    """Runs as ``runner`` does; ``queued_s`` of what it leaves is when the steps before had ended.

    Of the first steps of a request it is when the request arrived.
    """

    runner: Runner

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        """Run one replication; see `sim.runner.Runner`."""
        taking = None
        if sink is not None:
            taking = Sink(lambda chunk: sink.take(from_ready(chunk)), sink.steps)
        return from_ready(self.runner.run(scenario, replication, taking))


def from_ready(trace: Trace) -> Trace:
    """Return the trace with ``queued_s`` as `FromReady` has it."""
    found = Trace(trace.world, trace.topology)
    found.outcomes = trace.outcomes
    found.busy_s, found.off_s = trace.busy_s, trace.off_s
    found.carried_bytes, found.incidents = trace.carried_bytes, trace.incidents
    found.end_s = trace.end_s
    arrivals_s = {o.request.index: o.request.arrival_s for o in trace.outcomes}
    columns = trace.columns()
    starts = [place for place, step in enumerate(columns.step.tolist()) if step == 0]
    for start, end in pairwise([*starts, len(columns.step)]):
        _add(found, trace.plans[columns.plan[start]], columns, slice(start, end), arrivals_s)
    return found


def _add(
    found: Trace, plan: Plan, columns: Columns, rows: slice, arrivals_s: dict[int, float]
) -> None:
    """Add one executed plan."""
    request, attempt = int(columns.request[rows.start]), int(columns.attempt[rows.start])
    queued_s, end_s = columns.queued_s[rows].tolist(), columns.end_s[rows].tolist()
    states = columns.state[rows].tolist()
    for index, step in enumerate(plan.steps):
        before = sorted(end_s[each] for each in step.after if states[each] == HAS_FINISHED)
        if states[index] == NEVER_BEGUN:
            continue
        if not step.after and attempt == 0:
            queued_s[index] = min(queued_s[index], arrivals_s.get(request, queued_s[index]))
        elif 0 < plan.needs[index] <= len(before):
            queued_s[index] = min(queued_s[index], before[plan.needs[index] - 1])
    used = {step: each for step, each in enumerate(columns.used[rows].tolist()) if not isnan(each)}
    found.add(
        request, attempt, plan, queued_s, columns.start_s[rows].tolist(), end_s, bytes(states), used
    )
