"""A measurement of one policy of a language model: texts heard, then recovered."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.laboratory.privacy.protocol import Protocol
from experiments.laboratory.text.letters import letter
from experiments.laboratory.text.measuring import recoveries
from experiments.laboratory.text.recording import Heard, Listener
from real_runner.deployment import NodeSpec
from real_runner.shards.arrays import DTYPES, device_of
from real_runner.shards.llama.checkpoint import Checkpoint
from real_runner.shards.llama.layers import Layers
from real_runner.shards.llama.tokenizer import tokenizer_for
from sim.errors import PolicyError
from sim.policies.lambda_split import LambdaSplit
from sim.runner import Scenario
from workloads.llama.model import Llama
from workloads.scenes import Split


def measured(
    case: Scenario,
    given: Path | None,
    weights: Path,
    spec: NodeSpec,
    protocol: Protocol,
    told: Callable[[], None],
) -> pd.DataFrame:
    """Return a row per attack on the texts of a scenario's policy.

    ``given`` is the folder with the user's tokenizer, if any, ``weights`` what nodes read. ``told``
    is told of each text. Raises `PolicyError` for a policy that has no one cloud in the middle.
    """
    policy, model = case.policy, case.workload.model
    if not isinstance(policy, LambdaSplit) or not isinstance(model, Llama):
        raise PolicyError(f"{case.policy_name}: no split of a text model; use lambda-split")
    listener = Listener(case, policy, weights, spec)
    tokenizer = tokenizer_for(given, model.architecture)

    def heard(split: Split, count: int) -> list[Heard]:
        found = []
        for index in range(count):
            text = letter(protocol.seed, split, index).text
            found.append(listener.hear(tuple(tokenizer.encode(text)), protocol.texts.answer))
            told()
        return found

    texts = protocol.texts
    known = heard("attack-train", texts.attack_train)
    held = heard("attack-validate", texts.attack_validate)
    attacked = heard("test", texts.test)
    letters = [letter(protocol.seed, "test", index) for index in range(texts.test)]
    layers = Layers(model.architecture, Checkpoint(weights), DTYPES[spec.dtype], device_of(spec))
    found = recoveries(known, held, attacked, letters, layers, policy.a, tokenizer)
    return pd.DataFrame([_flat(asdict(each)) for each in found])


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    exact = row.pop("exact")
    return row | {"texts": exact["trials"], "exact": exact["successes"], "below": exact["below"]}
