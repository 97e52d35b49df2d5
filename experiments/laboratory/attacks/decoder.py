"""A3: a network that draws pictures from everything received."""

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from experiments.laboratory.attacks.attack import Known
from experiments.laboratory.attacks.learning import Budget, applied, learn, planes, seeded
from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.transcripts import Transcript
from experiments.laboratory.attacks.views import Views

COMPONENTS: Final = 256
"""So many principal components of what was received go in, each with a variance of 1."""
WIDTH: Final = 256
CHANNELS: Final = (64, 48, 32)
"""At an eighth, a quarter and half of the working size."""


class Decoder:
    """argmin E‖D(V) - X‖² over networks D, by ``budget``; the same for the same ``rng``."""

    name = "A3"

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()

    def fit(
        self, views: Views, pictures: Pictures, validation: Known, rng: np.random.Generator
    ) -> None:
        """Train the network; `ValueError` for a working size that eight does not divide."""
        if len(views.seen) % 8:
            raise ValueError(f"views: {len(views.seen)} pixels a side are no multiple of 8")
        self._components = views.transcript.components
        self._scale = np.sqrt(self._components.variances[:COMPONENTS] / len(views))
        mean, inputs = planes(pictures.mean(axis=0, keepdims=True)), self._inputs(views.transcript)
        self._network = seeded(lambda: Drawing(inputs.shape[1], mean), rng)
        others, truth = validation
        held = self._inputs(others.transcript), truth
        learn(self._network, (inputs, pictures), held, views.unseen, self._budget, rng)

    def reconstruct(self, views: Views) -> Pictures:
        """Return canvases on what the network draws."""
        return views.completed(applied(self._network, self._inputs(views.transcript), self._budget))

    def _inputs(self, transcript: Transcript) -> Tensor:
        scores = transcript.scores(self._components)[:, :COMPONENTS] / self._scale
        return torch.from_numpy(scores.astype(np.float32))


class Drawing(nn.Module):  # type: ignore[misc] # mypy does not read torch
    """(n, features) to (n, 3, side, side): what a picture has more or less than the mean one."""

    def __init__(self, features: int, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        first, second, third = CHANNELS
        side = mean.shape[-1] // 8
        self.layers = nn.Sequential(
            nn.Linear(features, WIDTH), nn.GELU(),
            nn.Linear(WIDTH, first * side**2), nn.GELU(), nn.Unflatten(1, (first, side, side)),
            *_twice_as_large(first, second), *_twice_as_large(second, third),
            nn.Upsample(scale_factor=2), nn.Conv2d(third, 3, 3, padding=1),
        )  # fmt: skip
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, scores: Tensor) -> Tensor:
        """Return the pictures; the mean one at the start of training."""
        drawn: Tensor = self.mean + self.layers(scores)
        return drawn


def _twice_as_large(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1), nn.GELU()
