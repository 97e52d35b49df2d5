"""What an agent earns by a request that has ended."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from sim.trace import FINISHED, Outcome

WORST: Final = 10.0
"""Deadlines that a request counts at most, and that one which was not answered counts."""


def in_deadlines(outcome: Outcome, deadline_s: float) -> float:
    """Return minus the latency in deadlines, no less than minus `WORST`."""
    if outcome.outcome != FINISHED:
        return -WORST
    return -min(outcome.latency_s / deadline_s, WORST)


def in_time(outcome: Outcome, deadline_s: float) -> float:
    """Return 1 for an answer within the deadline, -1 for a late one or none."""
    met = outcome.outcome == FINISHED and outcome.latency_s <= deadline_s
    return 1.0 if met else -1.0


Reward = Callable[[Outcome, float], float]

REWARDS: Mapping[str, Reward] = MappingProxyType({"latency": in_deadlines, "in-time": in_time})
