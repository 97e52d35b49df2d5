"""How often guessed tokens held in training runs, as a workload can say it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sim.runner import Scenario
from sim.trace import Trace
from workloads.llama.acceptance import Independent
from workloads.llama.model import Llama


def fitted_acceptance(traces: Sequence[Trace]) -> Independent | None:
    """Return the acceptance with which as many tokens come of a check as did; None without any."""
    most: list[int] = []
    came: list[int] = []
    for trace in traces:
        columns = trace.columns()
        for place in np.flatnonzero(columns.made >= 0).tolist():
            step = trace.plans[columns.plan[place]].steps[columns.step[place]]
            most.append(step.tokens)
            came.append(int(columns.made[place]))
    if not most:
        return None
    return Independent(_probability(most, sum(came)))


def accepting(scenario: Scenario, acceptance: Independent | None) -> Scenario:
    """Return a scenario in whose texts guesses hold that often."""
    model = scenario.workload.model
    if acceptance is None or not isinstance(model, Llama):
        return scenario
    changed = replace(model, acceptance=acceptance)
    return replace(scenario, workload=replace(scenario.workload, model=changed))


def _probability(most: Sequence[int], tokens: int) -> float:
    """Return the probability of a guess with which ``tokens`` come of all checks together."""
    low, high = 0.0, 1.0
    for _ in range(50):  # halves: to 1e-15
        middle = (low + high) / 2
        if sum(map(Independent(middle).expected, most)) < tokens:
            low = middle
        else:
            high = middle
    return low
