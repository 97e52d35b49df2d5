"""What an agent earns by requests: paid as it comes about, not when they end.

Each reward is a function of how a request stands, of what it has earned *so far*, and a step pays
what has been added since the last one. Were a latency paid when its request ends, an agent that
discounts would learn to put the end off; so it pays for waiting while it waits. The sum over an
episode is the same.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from sim.trace import FINISHED, Outcome
from workloads.stage import Request

OPEN: Final = ""
"""The outcome of a request that has not ended."""

WORST: Final = 10.0
"""Deadlines that a request counts at most, and that one which is not answered counts."""

Reward = Callable[[float, str, float], float]
"""Earned so far by a request of this age in seconds and outcome, at this deadline in seconds."""


def in_deadlines(age_s: float, outcome: str, deadline_s: float) -> float:
    """Return minus the latency in deadlines, no less than minus `WORST`."""
    if outcome not in {OPEN, FINISHED}:
        return -WORST
    return -min(age_s / deadline_s, WORST)


def in_time(age_s: float, outcome: str, deadline_s: float) -> float:
    """Return 1 for an answer within the deadline, -1 once there is none within it."""
    if age_s > deadline_s or outcome not in {OPEN, FINISHED}:
        return -1.0
    return 1.0 if outcome == FINISHED else 0.0


REWARDS: Mapping[str, Reward] = MappingProxyType({"latency": in_deadlines, "in-time": in_time})


class Earnings:
    """What the requests of one episode have earned so far, and how much of it has been paid."""

    def __init__(self, reward: Reward, deadline_s: float) -> None:
        self._reward = reward
        self._deadline_s = deadline_s
        self._arrivals_s: dict[int, float] = {}
        self._paid: dict[int, float] = {}

    def begin(self, request: Request) -> None:
        """Note that a request has arrived."""
        self._arrivals_s[request.index] = request.arrival_s
        self._paid[request.index] = 0.0

    def pay(self, now_s: float, ended: Iterable[Outcome]) -> float:
        """Return what has been earned since this was last asked, by now."""
        total = 0.0
        for each in ended:
            total += self._due(each.request.index, each.latency_s, each.outcome)
            del self._arrivals_s[each.request.index], self._paid[each.request.index]
        for index, arrival_s in self._arrivals_s.items():
            total += self._due(index, now_s - arrival_s, OPEN)
        return total

    def _due(self, index: int, age_s: float, outcome: str) -> float:
        earned = self._reward(age_s, outcome, self._deadline_s)
        due, self._paid[index] = earned - self._paid[index], earned
        return due
