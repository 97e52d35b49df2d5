"""The numbers of Stable Diffusion XL: a user's own, or drawn by seed."""

import math
from functools import partial
from pathlib import Path

import numpy as np

from real_runner.shards import drawing
from real_runner.shards.saving import State, save
from real_runner.shards.sdxl import checkpoint
from real_runner.shards.sdxl.architecture import PARTS, empty
from workloads.sdxl.model import Sdxl
from workloads.sdxl.variants import Variant


def prepare(model: Sdxl, given: Path | None, seed: int, target: Path) -> Path:
    """Return where workers find the weights: what was given, or ``target``, written now.

    What may be given see `real_runner.shards.sdxl.checkpoint`. ``target`` is a ``.safetensors``
    file; the numbers in it are the same for the same ``seed``. Raises `RealRunError` where
    ``given`` does not hold the weights of ``model``.
    """
    if given is not None:
        checkpoint.check(given, model.variant)
        return given
    save(drawn(model.variant, seed), target)
    return target


def drawn(variant: Variant, seed: int) -> State:
    """Return random numbers for every parameter, the same for the same seed, named for one file.

    Norms are near 1, biases near 0, and sizes such that numbers stay near 1 on their way.
    """
    state: State = {}
    for number, part in enumerate(PARTS):
        shapes = checkpoint.wanted_shapes(empty(variant, part))
        generator = np.random.default_rng([seed, number])
        numbers = drawing.drawn(shapes, generator, partial(_distribution))
        state |= {f"{part}.{name}": tensor for name, tensor in numbers.items()}
    return state


def _distribution(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return mean and standard deviation that a parameter is drawn with."""
    if len(shape) == 1:
        return float("weight" in name), 0.1  # norms near 1, biases near 0
    if "embedding.weight" in name:
        return 0.0, 0.5
    return 0.0, math.prod(shape[1:]) ** -0.5
