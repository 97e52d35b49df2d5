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
    """Has each request planned by one of ``arms``, and by the same one until it has ended.

    ``choose`` is asked once for each request that arrives, and names the arm by its number. A run
    begins with request 0, and nothing is remembered of the one before.
    """

    def __init__(
        self, arms: Sequence[Policy], features: Features, choose: Callable[[Vector], int]
    ) -> None:
        self._arms = tuple(arms)
        self._features = features
        self._choose = choose
        self._chosen: dict[int, int] = {}
        self._last_s = -inf

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the plan of the request's arm."""
        if not progress.plans:
            self._chosen[request.index] = self._choose(self._seen(request, view))
        return self._arms[self._chosen[request.index]].plan(request, progress, view)

    def _seen(self, request: Request, view: View) -> Vector:
        if request.index == 0:
            self._chosen, self._last_s = {}, -inf
        since_s = request.arrival_s - self._last_s
        self._last_s = request.arrival_s
        return self._features.of(request, view, since_s)
