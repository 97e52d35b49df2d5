"""Guessed tokens without a real text: how many of them hold, drawn from what the workload says."""

from typing import final

import numpy as np

from sim.runner import Scenario
from workloads.llama.model import Llama
from workloads.stage import Request


@final
class Checks:
    """Draws for each text of its own, so that policies are compared on the same luck."""

    def __init__(self, scenario: Scenario, replication: int) -> None:
        self._scenario = scenario
        self._replication = replication
        self._texts: dict[int, tuple[np.random.Generator, int]] = {}

    def kept(self, request: Request, most: int) -> int:
        """Return how many tokens come of a check of which ``most`` may; all, if no model says."""
        model = request.model
        if not isinstance(model, Llama):
            return most
        if request.index not in self._texts:
            purpose = f"guesses of {request.index}"
            rng = self._scenario.generator(self._replication, purpose)
            self._texts[request.index] = rng, 0
        rng, turn = self._texts[request.index]
        self._texts[request.index] = rng, turn + 1
        return model.acceptance.kept(most, turn, rng)

    def forget(self, request: Request) -> None:
        """Forget a text that has ended."""
        self._texts.pop(request.index, None)
