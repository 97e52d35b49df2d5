"""What the cloud of a split language model received and sent of texts, by the plans that run."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiments.laboratory.idle import idle_view
from real_runner.deployment import NodeSpec
from real_runner.inline import Inline, Sent
from real_runner.shards.llama.executor import LlamaExecutor
from sim.errors import PolicyError
from sim.policy import UNTOUCHED, Policy
from sim.runner import Scenario
from workloads.llama.model import Llama, tokens
from workloads.stage import Request

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One text on the wire.

    ``received`` are the hidden states that came to the cloud, a row per position, and ``sent``
    those that left it, as they were read of the wire; ``tokens`` is the truth: the prompt's, and
    then those of the answer that were chosen at the edge. ``prompt`` is how many are the prompt.
    """

    received: Rows
    sent: Rows
    tokens: tuple[int, ...]
    prompt: int


class Listener:
    """Writes texts by a policy that has one cloud in the middle, and keeps what that cloud had."""

    def __init__(self, scenario: Scenario, policy: Policy, weights: Path, spec: NodeSpec) -> None:
        model = scenario.workload.model
        if not isinstance(model, Llama):
            raise PolicyError(f"model {model.name!r} writes no text; name a scenario with a Llama")
        self._model = model
        self._policy = policy
        self._origin = scenario.origins[0]
        nodes = scenario.topology.nodes
        self._untrusted = frozenset(node.name for node in nodes if not node.trusted)
        self._view = idle_view(scenario)
        self._inline = Inline(LlamaExecutor(model, weights, spec))

    def hear(self, prompt: tuple[int, ...], answer: int) -> Heard:
        """Have an answer of so many tokens written to a prompt.

        Raises `PolicyError` where the policy splits nothing, or among several clouds.
        """
        model = replace(self._model, prompt_tokens=len(prompt), output_tokens=answer)
        plan = self._policy.plan(Request(0, 0.0, self._origin, model), UNTOUCHED, self._view)
        given = [(self._origin, model.captured, np.array(prompt, "<i4").view(np.uint8))]
        written, sent = self._inline.run(plan, given, (self._origin, tokens(model.output_tokens)))
        clouds = {node for each in sent for node in self._ends(each)}
        if len(clouds) != 1 or not plan.completes:
            raise PolicyError(
                f"{self._policy!r}: {len(clouds)} clouds hear the text; use lambda-split with one "
                "and without guesses"
            )
        whole = (*prompt, *np.asarray(written).view("<i4").tolist())
        cloud = clouds.pop()
        return Heard(
            _joined([each for each in sent if each.transfer.target == cloud]),
            _joined([each for each in sent if each.transfer.source == cloud]),
            whole,
            len(prompt),
        )

    def _ends(self, sent: Sent) -> set[str]:
        return {sent.transfer.source, sent.transfer.target} & self._untrusted


def _joined(sent: list[Sent]) -> Rows:
    """Return the rows of hidden states in the order of their positions."""
    parts = [each for each in sent if each.transfer.payload.tensor == "hidden"]
    starts = [each.transfer.payload.first for each in parts]
    assert all(early < late for early, late in pairwise(starts))  # noqa: S101 - one after another
    return np.concatenate([np.asarray(each.array, np.float32) for each in parts])
