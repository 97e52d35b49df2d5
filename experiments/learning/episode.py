"""A run of the simulator that stops wherever a request is to be decided on.

The simulator calls its policy; an agent wants to be asked the other way round. So the run is a
greenlet: a stack of its own that is left in the middle of `Policy.plan` and entered again with the
decision. Nothing of the simulator is written twice, and a run costs no thread.
"""

import gc
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from experiments.extras import needs
from experiments.learning.chooser import Chooser
from experiments.learning.features import Features, Vector
from sim.engine.simulator import Simulator
from sim.policy import Policy
from sim.runner import Scenario
from sim.trace import Outcome, Sink, Trace
from workloads.stage import Request

with needs("learning"):
    from greenlet import getcurrent, greenlet


class Waiting(NamedTuple):
    """A request that has just arrived, and what its agent gets to see."""

    request: Request
    features: Vector


class Episode:
    """One replication of ``scenario``, in which each request is left to one of ``arms``.

    It belongs to the thread that began it. `close` it, unless it has come to its end.
    """

    def __init__(
        self, scenario: Scenario, replication: int, arms: Sequence[Policy], features: Features
    ) -> None:
        self._scenario = replace(scenario, policy=Chooser(arms, features, self._choose))
        self._replication = replication
        self._ended: list[Outcome] = []
        self._run = greenlet(self._simulate)

    @property
    def waits(self) -> bool:
        """Whether a request waits for a decision."""
        return bool(self._run)

    def begin(self) -> Waiting | None:
        """Run to the first request."""
        return self._switch()

    def decide(self, arm: int) -> Waiting | None:
        """Give the request that waits to ``arm``, and run to the next one.

        Returns None once all requests have ended. Raises what the simulator raises where the arm
        cannot plan for such a scenario.
        """
        return self._switch(arm)

    def ended(self) -> tuple[Outcome, ...]:
        """Return the requests that have ended since this was last asked, in that order."""
        found = tuple(self._ended)
        self._ended.clear()
        return found

    def close(self) -> None:
        """Leave the run where it is, for good."""
        if not self._run.dead:
            self._run.throw()

    def _switch(self, *arm: int) -> Waiting | None:
        paces = gc.get_threshold()  # the simulator has its own, which is none of the agent's
        self._run.parent = getcurrent()
        try:
            found: Waiting | None = self._run.switch(*arm)
        finally:
            gc.set_threshold(*paces)
        return found

    def _choose(self, request: Request, features: Vector) -> int:
        arm: int = self._run.parent.switch(Waiting(request, features))
        return arm

    def _simulate(self) -> None:
        Simulator().run(self._scenario, self._replication, Sink(self._note, steps=0))

    def _note(self, chunk: Trace) -> None:
        self._ended += chunk.outcomes
