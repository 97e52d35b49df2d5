"""A policy that leaves each request to one of several, whoever it is that chooses.

The environment's agent and a learnt network are two ways to choose: both are given the same
features, by the same code.
"""

from collections.abc import Callable, Sequence
from math import inf

from experiments.learning.features import Features, Vector
from sim.plan import Plan
from sim.policy import Policy, Progress, View
from workloads.stage import Request


class Chooser:
    """In one run, has each request planned by one of ``arms``, the same until it has ended.

    ``choose`` is given each request that arrives and its features, and names an arm by number.
    """

    def __init__(
        self, arms: Sequence[Policy], features: Features, choose: Callable[[Request, Vector], int]
    ) -> None:
        self._arms = tuple(arms)
        self._features = features
        self._choose = choose
        self._chosen: dict[int, int] = {}
        self._last_s = -inf

    @property
    def reads_endings(self) -> bool:
        """Whether one of the arms reads them."""
        return read_endings(self._arms)

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the plan of the request's arm."""
        if not progress.plans:
            since_s, self._last_s = request.arrival_s - self._last_s, request.arrival_s
            seen = self._features.of(request, view, since_s)
            self._chosen[request.index] = self._choose(request, seen)
        return self._arms[self._chosen[request.index]].plan(request, progress, view)


def read_endings(arms: Sequence[Policy]) -> bool:
    """Return whether one of the arms learns of how requests end."""
    return any(getattr(arm, "reads_endings", False) for arm in arms)
