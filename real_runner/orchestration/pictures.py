"""What requests to a SAM bring along: pictures at their origins, prompts where they are decoded.

Pictures are made before the run. Prompts are a few numbers; they reach the node that decodes them
with its orders, and no other.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from real_runner.control.messages import control
from real_runner.fleet.fleet import Fleet
from real_runner.orchestration.brought import Brought
from sim.plan import Compute, Plan
from sim.policy import Progress
from sim.runner import Scenario
from workloads.sam.model import Sam
from workloads.stage import Payload, Request

PICTURES = 8
"""Different pictures; requests take them in turn."""

PROMPT = Payload("prompt")
_READS_PROMPT = "sam.decode"


class Pictures:
    """Implements `real_runner.orchestration.inputs.Inputs` for the nodes ``real``."""

    def __init__(self, scenario: Scenario, real: frozenset[str], sam: Sam) -> None:
        self._origins = frozenset(scenario.origins)
        self._real = real
        self._pictures: list[Brought] = []
        self._prompts: list[Brought] = []
        self._make(sam, scenario.seed)

    def hand_out(self, fleet: Fleet, nodes: Iterable[str]) -> None:
        """Have those of ``nodes`` that are origins keep the pictures."""
        for node in self._origins & self._real & frozenset(nodes):
            for message in (part for kept in self._pictures for part in kept.parts()):
                fleet.send(node, keep=message)

    def of(
        self, job: int, request: Request, plan: Plan, progress: Progress
    ) -> dict[str, list[Any]]:
        """Return what a request brings along before ``plan`` begins, as messages per node.

        Every plan has all of it: the node that had it may have been started afresh.
        """
        del progress
        turn = request.index % PICTURES
        found: dict[str, list[Any]] = {}
        if request.origin in self._real:
            slot = self._pictures[turn].slot
            found[request.origin] = [control.Input(job=job, slot=slot)]
        for node in decoding_nodes(plan) & self._real:
            prompt = control.Input(job=job, content=self._prompts[turn].message())
            found.setdefault(node, []).append(prompt)
        return found

    def _make(self, model: Sam, seed: int) -> None:
        from real_runner.shards.inputs import captured  # noqa: PLC0415 - needs the extra [real]

        for index in range(PICTURES):
            picture, prompts = captured(model, seed, index)
            array = np.frombuffer(picture, np.uint8)
            self._pictures.append(Brought(model.captured, array, 2 * index + 1))
            self._prompts.append(Brought(PROMPT, prompts))


@lru_cache(maxsize=4096)
def decoding_nodes(plan: Plan) -> frozenset[str]:
    """Return the nodes that need the prompts of a request."""
    return frozenset(
        step.node
        for step in plan.steps
        if isinstance(step, Compute) and any(s.kind == _READS_PROMPT for s in step.stages)
    )
