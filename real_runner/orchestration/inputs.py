"""What requests bring along, made before the run: pictures at their origins, prompts where asked.

Prompts are a few numbers; they reach the node that decodes them with its orders, and no other.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from real_runner.control.messages import control
from real_runner.deployment import Deployment
from real_runner.executor import Array
from real_runner.fleet.fleet import Fleet
from real_runner.wire.payloads import payload_message
from sim.plan import Compute, Plan
from sim.runner import Scenario
from workloads.sam.model import Sam
from workloads.stage import Payload, Request

PICTURES = 8
"""Different pictures; requests take them in turn."""

PROMPT = Payload("prompt")
_PART_BYTES = 1 << 20
_READS_PROMPT = "sam.decode"


class _Kept(NamedTuple):
    slot: int
    payload: Payload
    array: Array


class Inputs:
    """The inputs of a scenario's requests; none for nodes that do not compute."""

    def __init__(self, scenario: Scenario, deployment: Deployment) -> None:
        self._origins = frozenset(scenario.origins)
        self._real = {
            node.name
            for node in scenario.topology.nodes
            if deployment.of(node.name).executor == "torch"
        }
        model = scenario.workload.model
        self._pictures: list[_Kept] = []
        self._prompts: list[_Kept] = []
        if self._real and isinstance(model, Sam):
            self._make(model, scenario.seed)

    def hand_out(self, fleet: Fleet, nodes: Iterable[str]) -> None:
        """Have those of ``nodes`` that are origins keep the pictures."""
        for node in self._origins & self._real & frozenset(nodes):
            for message in (part for kept in self._pictures for part in _parts(kept)):
                fleet.send(node, keep=message)

    def of(self, job: int, request: Request, plan: Plan) -> dict[str, list[Any]]:
        """Return what a request brings along before ``plan`` begins, as messages per node.

        Every plan has all of it: the node that had it may have been started afresh.
        """
        turn = request.index % PICTURES
        found: dict[str, list[Any]] = {}
        if self._pictures and request.origin in self._real:
            slot = self._pictures[turn].slot
            found[request.origin] = [control.Input(job=job, slot=slot)]
        for node in _decoding(plan) & self._real if self._prompts else ():
            prompt = control.Input(job=job, content=_message(self._prompts[turn]))
            found.setdefault(node, []).append(prompt)
        return found

    def _make(self, model: Sam, seed: int) -> None:
        from real_runner.shards.inputs import captured  # noqa: PLC0415 - needs the extra [real]

        for index in range(PICTURES):
            picture, prompts = captured(model, seed, index)
            array = np.frombuffer(picture, np.uint8)
            self._pictures.append(_Kept(2 * index + 1, model.captured, array))
            self._prompts.append(_Kept(2 * index + 2, PROMPT, prompts))


@lru_cache(maxsize=4096)
def _decoding(plan: Plan) -> frozenset[str]:
    return frozenset(
        step.node
        for step in plan.steps
        if isinstance(step, Compute) and any(s.kind == _READS_PROMPT for s in step.stages)
    )


def _parts(kept: _Kept) -> Iterator[Any]:
    """Yield a vector in pieces that messages have room for."""
    for start in range(0, len(kept.array), _PART_BYTES):
        part = kept._replace(array=kept.array[start : start + _PART_BYTES])
        yield control.Keep(slot=kept.slot, content=_message(part), continued=start > 0)


def _message(kept: _Kept) -> Any:
    return control.Content(
        payload=payload_message(kept.payload),
        dtype=str(kept.array.dtype),
        shape=kept.array.shape,
        content=kept.array.tobytes(),
    )
