"""What a policy makes of a picture: the masks, and what each node was sent on the way."""

from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from experiments.laboratory.idle import idle_view
from experiments.laboratory.subjects import Masks, Subject
from real_runner.deployment import NodeSpec
from real_runner.executor import Array
from real_runner.inline import Inline, Sent
from real_runner.orchestration.pictures import PROMPT, decoding_nodes
from real_runner.shards.noise import Words, cryptographic, seeded
from real_runner.shards.pixels import content_px
from real_runner.shards.sam import SamExecutor, sam_executor
from sim.errors import PolicyError
from sim.facts import step_facts
from sim.plan import Compute, Plan, Step, Transfer
from sim.policies.placement import sam_of
from sim.policy import UNTOUCHED, Policy
from sim.runner import Scenario
from workloads.images import Image
from workloads.sam import payloads
from workloads.sam.model import Sam
from workloads.stage import Payload, Request


class Examiner:
    """Carries out plans for pictures, with the weights of one checkpoint.

    They are made as if the world of ``scenario`` were idle, and all of it there. Noise follows from
    the scenario's seed and the picture's name, so whoever measures again has the same. Raises
    `real_runner.errors.RealRunError` where the weights do not fit.
    """

    def __init__(self, scenario: Scenario, weights: Path, spec: NodeSpec) -> None:
        self._orders = scenario, weights, spec
        self._seed = scenario.seed
        self.weights = weights
        self._noise: Words = cryptographic
        self._sam = sam_of(scenario.workload.model)
        self._origin = scenario.origins[0]
        self._topology = scenario.topology
        self._view = idle_view(scenario)
        self._executor: SamExecutor = sam_executor(self._sam, weights, spec, self._words)

    def __reduce__(self) -> tuple[Any, ...]:
        """Have another process make one of its own, once."""
        return _made, self._orders

    def run(self, policy: Policy, subject: Subject) -> tuple[Masks, list[Sent]]:
        """Return the masks on the model's square, bool (prompts, side, side), and what was sent."""
        model, plan = self.planned(policy, subject)
        wanted = payloads.mask(model.variant, model.prompts)
        runner = self._runner(model, subject)
        bits, sent = runner.run(plan, self._given(plan, model, subject), (self._origin, wanted))
        side = model.variant.image_px
        return np.unpackbits(bits).astype(bool).reshape(-1, side, side), sent

    def masks(self, policy: Policy, subject: Subject) -> Masks:
        """Return the masks alone."""
        return self.run(policy, subject)[0]

    def traffic(self, policy: Policy, subject: Subject) -> tuple[float, float]:
        """Return the bytes that go to clouds and come from them, as every runner counts them."""
        steps = self.planned(policy, subject)[1].steps
        facts = [step_facts(step, self._topology) for step in steps]
        return sum(each.bytes_up for each in facts), sum(each.bytes_down for each in facts)

    def heard(self, policy: Policy, subject: Subject, nodes: Collection[str]) -> list[Sent]:
        """Return what some nodes were sent, or sent themselves.

        Nothing is computed that comes after the last of it.
        """
        model, plan = self.planned(policy, subject)
        theirs = [place for place, step in enumerate(plan.steps) if _touches(step, nodes)]
        until = replace(plan, steps=plan.steps[: max(theirs, default=-1) + 1])
        runner = self._runner(model, subject)
        sent = runner.sent(until, self._given(plan, model, subject))
        return [each for each in sent if _touches(each.transfer, nodes)]

    def planned(self, policy: Policy, subject: Subject) -> tuple[Sam, Plan]:
        """Return the model that runs a picture, and the plan that does."""
        model = self._model(subject)
        return model, self._plan(policy, model)

    def withheld(self, policy: Policy, subject: Subject) -> int:
        """Return of how many patches a side the policy's clouds are not told the means; 0 for none.

        That is no secret: clouds know the policy.
        """
        steps = self.planned(policy, subject)[1].steps
        stages = (stage for step in steps if isinstance(step, Compute) for stage in step.stages)
        known = (dict(stage.settings).get("withhold", 0) for stage in stages)
        return int(max(known, default=0))

    def on_square(self, subject: Subject) -> Masks:
        """Return the masks that are wanted as `run` would have them; the picture must have some."""
        assert subject.masks is not None  # noqa: S101 - asked before
        return resized(subject.masks, self._sam.variant.image_px)

    def _runner(self, model: Sam, subject: Subject) -> Inline:
        self._noise = seeded([self._seed, crc32(subject.name.encode())])
        return Inline(self._executor.serving(model))

    def _words(self, count: int) -> npt.NDArray[np.uint64]:
        return self._noise(count)

    def _given(self, plan: Plan, model: Sam, subject: Subject) -> list[tuple[str, Payload, Array]]:
        """Return what there is before the first step: the picture, and what is asked of it."""
        file = np.ascontiguousarray(subject.picture).reshape(-1)
        asked = [(node, PROMPT, subject.prompts) for node in decoding_nodes(plan)]
        return [(self._origin, model.captured, file), *asked]

    def _plan(self, policy: Policy, model: Sam) -> Plan:
        request = Request(0, 0.0, self._origin, model)
        plan = policy.plan(request, UNTOUCHED, self._view)
        if not plan.completes:
            raise PolicyError(f"{policy!r}: plans a part of the work only; use one that plans all")
        return plan

    def _model(self, subject: Subject) -> Sam:
        """Return the model that a picture of this size, with so many prompts, is run by."""
        height, width = subject.picture.shape[:2]
        image = Image(width, height, "raw")
        return replace(self._sam, image=image, prompts=len(subject.prompts))


@lru_cache(maxsize=2)
def _made(scenario: Scenario, weights: Path, spec: NodeSpec) -> Examiner:
    return Examiner(scenario, weights, spec)


def _touches(step: Step, nodes: Collection[str]) -> bool:
    return isinstance(step, Transfer) and not {step.source, step.target}.isdisjoint(nodes)


def resized(masks: npt.NDArray[np.bool_], side_px: int) -> Masks:
    """Return masks (n, height, width) on a square, where SAM puts the picture: at its top left."""
    height, width = masks.shape[-2:]
    rows, columns = content_px(Image(width, height, "raw"), side_px)
    square = np.zeros((len(masks), side_px, side_px), bool)
    down = ((np.arange(rows) + 0.5) * height / rows).astype(int)
    right = ((np.arange(columns) + 0.5) * width / columns).astype(int)
    square[:, :rows, :columns] = masks[:, down[:, None], right]
    return square
