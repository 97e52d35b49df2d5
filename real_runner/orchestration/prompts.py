"""What requests to a model that generates bring along: a prompt, and the seed of its luck.

The prompt comes to its request's origin, and whatever goes on from there is for the plan to say.
The seed is a number that says nothing of the prompt; it comes with their orders to the nodes that
draw with it, and to no other.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from real_runner.control.messages import control
from real_runner.errors import RealRunError
from real_runner.executor import Array
from real_runner.fleet.fleet import Fleet
from real_runner.orchestration.brought import Brought
from sim.plan import Compute, Plan, Step, Transfer
from sim.policy import Progress
from sim.runner import Scenario
from workloads.llama.model import Llama
from workloads.sdxl.model import Sdxl
from workloads.stage import Payload, Request

SEED = Payload("seed", fixed_bytes=8.0)
"""A number of 64 bits, little-endian."""

_DRAWS = frozenset({"llama.draft", "llama.tail", "llama.whole", "sdxl.encode"})


class Asked(NamedTuple):
    """What one request asks: token numbers of its prompt (or prompts), and a seed."""

    tokens: tuple[int, ...]
    seed: int = 0


Asking = Callable[[Request], Asked]
"""Tells what a request asks."""


def asked_by_seed(scenario: Scenario, replication: int) -> Asking:
    """Return prompts of random tokens, the same for the same scenario and replication."""

    def asked(request: Request) -> Asked:
        rng = scenario.generator(replication, f"prompt of {request.index}")
        count, vocabulary = request.model.captured.tokens, _vocabulary(request)
        tokens = rng.integers(min(3, vocabulary - 1), vocabulary, count)  # no begin, end, padding
        return Asked(tuple(tokens.tolist()), int(rng.integers(2**63)))

    return asked


class Prompts:
    """Implements `real_runner.orchestration.inputs.Inputs` for the nodes ``real``."""

    def __init__(self, real: frozenset[str], asking: Asking) -> None:
        self._real = real
        self._asking = asking

    def hand_out(self, fleet: Fleet, nodes: Iterable[str]) -> None:
        """Do nothing: prompts are small."""

    def of(
        self, job: int, request: Request, plan: Plan, progress: Progress
    ) -> dict[str, list[Any]]:
        """Return what a request brings along before ``plan`` begins, as messages per node.

        Where its origin has it and goes on from there, that is nothing. Raises `RealRunError` for
        a prompt of another length than the request's.
        """
        if not progress.lost and any(_end_of(step) == request.origin for step in progress.finished):
            return {}
        asked = self._asking(request)
        captured = request.model.captured
        if len(asked.tokens) != captured.tokens:
            raise RealRunError(
                f"request {request.index}: a prompt of {len(asked.tokens)} tokens where the "
                f"workload has {captured.tokens}; give as many"
            )
        prompt = _input(job, captured, np.array(asked.tokens, "<i4").view(np.uint8))
        seed = _input(job, SEED, np.array([asked.seed], "<u8").view(np.uint8))
        found: dict[str, list[Any]] = {node: [seed] for node in _drawing(plan) & self._real}
        if request.origin in self._real:
            found.setdefault(request.origin, []).insert(0, prompt)
        return found


def _input(job: int, payload: Payload, array: Array) -> Any:
    return control.Input(job=job, content=Brought(payload, array).message())


def _end_of(step: Step) -> str:
    return step.target if isinstance(step, Transfer) else step.node


@lru_cache(maxsize=4096)
def _drawing(plan: Plan) -> frozenset[str]:
    return frozenset(
        step.node
        for step in plan.steps
        if isinstance(step, Compute) and any(s.kind in _DRAWS for s in step.stages)
    )


def _vocabulary(request: Request) -> int:
    model = request.model
    if isinstance(model, Llama):
        return model.architecture.vocabulary
    assert isinstance(model, Sdxl)  # noqa: S101 - nothing else has prompts
    return min(encoder.vocabulary for encoder in model.variant.encoders)
