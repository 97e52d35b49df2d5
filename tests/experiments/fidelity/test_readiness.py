"""What a runner takes between steps belongs to the step that waited."""

from itertools import pairwise

import numpy as np
import pytest

from experiments.fidelity.readiness import FromReady, from_ready
from sim.engine.simulator import Simulator
from sim.tables import Tables
from sim.trace import Sink, Trace
from tests.experiments.fidelity.conftest import MakeScenarios

POLICY = "sharded/exact:assignment=round-robin"


def late(trace: Trace, by_s: float) -> Trace:
    """Return the trace of a runner that notes each step so much later than it could begin."""
    found = Trace("real", trace.topology)
    found.outcomes = trace.outcomes
    columns = trace.columns()
    bounds = [*np.flatnonzero(columns.step == 0).tolist(), len(columns.step)]
    for start, end in pairwise(bounds):
        rows = slice(start, end)
        found.add(
            int(columns.request[start]),
            int(columns.attempt[start]),
            trace.plans[columns.plan[start]],
            (columns.queued_s[rows] + by_s).tolist(),
            columns.start_s[rows].tolist(),
            columns.end_s[rows].tolist(),
            columns.state[rows].tobytes(),
        )
    return found


def test_the_simulator_leaves_nothing_between_steps(scenarios: MakeScenarios) -> None:
    trace = Simulator().run(scenarios(POLICY)[0])
    ready = from_ready(trace)
    assert ready.columns().queued_s == pytest.approx(trace.columns().queued_s, abs=1e-12)
    assert Tables(ready).steps().equals(Tables(trace).steps())
    assert (ready.busy_s, ready.carried_bytes) == (trace.busy_s, trace.carried_bytes)


def test_what_lies_between_steps_is_counted_to_the_later_one(scenarios: MakeScenarios) -> None:
    trace = Simulator().run(scenarios(POLICY)[0])
    ready = from_ready(late(trace, by_s=0.0001))
    assert ready.columns().queued_s == pytest.approx(trace.columns().queued_s, abs=1e-9)


def test_traces_given_away_in_chunks_are_timed_alike(scenarios: MakeScenarios) -> None:
    (chosen,) = scenarios(POLICY)
    chunks: list[Trace] = []
    whole = FromReady(Simulator()).run(chosen, 0, Sink(chunks.append, steps=100))
    assert len(chunks) > 1
    assert not whole.outcomes
    apart = np.concatenate([chunk.columns().queued_s for chunk in chunks])
    together = FromReady(Simulator()).run(chosen).columns().queued_s
    assert np.sort(apart) == pytest.approx(np.sort(together))
