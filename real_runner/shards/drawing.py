"""Random numbers for the parameters of a model."""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from real_runner.shards.saving import State

Distribution = Callable[[str, tuple[int, ...]], tuple[float, float]]
"""Tells mean and standard deviation that a parameter of this name and shape is drawn with."""


def drawn(
    shapes: Mapping[str, tuple[int, ...]],
    generator: np.random.Generator,
    distribution: Distribution,
) -> State:
    """Return normally distributed fp32 numbers for every name, drawn in the order of the names."""
    state = {}
    for name, shape in sorted(shapes.items()):
        centre, spread = distribution(name, shape)
        numbers = generator.standard_normal(shape, dtype=np.float32)
        scaled = numbers * np.float32(spread) + np.float32(centre)
        state[name] = torch.from_numpy(np.asarray(scaled))
    return state
