"""The numbers of a Llama: a user's own, or drawn by seed."""

from pathlib import Path

import numpy as np

from real_runner.shards import drawing
from real_runner.shards.llama.architecture import shapes
from real_runner.shards.llama.checkpoint import DRAFTER, check
from real_runner.shards.saving import State, save
from workloads.llama.model import Llama
from workloads.llama.variants import Architecture


def prepare(model: Llama, given: Path | None, seed: int, target: Path) -> Path:
    """Return where workers find the weights: what was given, or ``target``, written now.

    What may be given see `real_runner.shards.llama.checkpoint`. ``target`` is a ``.safetensors``
    file; the numbers in it are the same for the same ``seed``. Raises `RealRunError` where
    ``given`` does not hold the weights of ``model``.
    """
    if given is not None:
        check(given, model)
        return given
    state = drawn(model.architecture, seed)
    if model.drafter is not None:
        guessing = drawn(model.drafter, seed)
        state |= {f"{DRAFTER}.{name}": tensor for name, tensor in guessing.items()}
    save(state, target)
    return target


def drawn(architecture: Architecture, seed: int) -> State:
    """Return random numbers for every parameter, the same for the same seed.

    Sizes keep numbers near 1 on their way through any depth, and logits a few units apart, so that
    what comes next depends on the text.
    """

    def distribution(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
        if len(shape) == 1:
            return float("norm" in name), 0.1  # norms near 1, biases near 0
        if "embed_tokens" in name:
            return 0.0, 1.0
        if "lm_head" in name:
            return 0.0, 3.0 * shape[1] ** -0.5
        into_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
        return 0.0, (shape[1] * (architecture.layers if into_residual else 1)) ** -0.5

    return drawing.drawn(shapes(architecture), np.random.default_rng(seed), distribution)
