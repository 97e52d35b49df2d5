"""A5: what was not shown, from what was: a network trained for exactly the mask at hand.

It is what a masked autoencoder learns (He et al. 2022, arXiv 2111.06377), with convolutions in
the form of a U (Ronneberger et al. 2015, arXiv 1505.04597). It looks at pixels only, and starts
from what A0 makes of them by interpolation: so it is never worse there by more than chance.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from experiments.laboratory.attacks.attack import Known
from experiments.laboratory.attacks.baselines import Interpolation
from experiments.laboratory.attacks.learning import Budget, applied, learn, planes, seeded
from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.views import Views

CHANNELS: Final = (32, 64, 96)
"""At half the working size, a quarter and an eighth."""
GROUPS: Final = 8
"""Of channels that are normalised together."""


class Inpainting:
    """A network from canvas and mask to whole pictures, by ``budget``; the same for one ``rng``."""

    name = "A5"

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._begun = Interpolation()

    def fit(
        self, views: Views, pictures: Pictures, validation: Known, rng: np.random.Generator
    ) -> None:
        """Train the network; `ValueError` for a working size that eight does not divide."""
        if len(views.seen) % 8:
            raise ValueError(f"views: {len(views.seen)} pixels a side are no multiple of 8")
        self._begun.fit(views, pictures, validation, rng)
        self._network = seeded(lambda: Painting(len(views.seen)), rng)
        others, truth = validation
        known, held = (self._inputs(views), pictures), (self._inputs(others), truth)
        learn(self._network, known, held, views.unseen, self._budget, rng)

    def reconstruct(self, views: Views) -> Pictures:
        """Return canvases on what the network paints."""
        return views.completed(applied(self._network, self._inputs(views), self._budget))

    def _inputs(self, views: Views) -> Tensor:
        """Return canvas, carried on where it shows nothing, and mask, (n, 4, side, side)."""
        mask = torch.from_numpy(views.seen).float().expand(len(views), 1, *views.seen.shape)
        return torch.cat([planes(self._begun.reconstruct(views)), mask], dim=1)


class Painting(nn.Module):  # type: ignore[misc] # mypy does not read torch
    """(n, 4, side, side) to (n, 3, side, side), as what there is more or less than the first three.

    Squares of two by two pixels go in and come out as one place of four times the channels. At its
    narrowest every place learns of every other, for a window may lie far away.
    """

    def __init__(self, side_px: int) -> None:
        super().__init__()
        places = (side_px // 8) ** 2
        self.down = nn.ModuleList(map(_block, (4 * 4, *CHANNELS), CHANNELS))
        self.across = nn.Linear(places, places)
        self.up = nn.ModuleList(
            _block(low + high, high)
            for low, high in zip(CHANNELS[:0:-1], CHANNELS[-2::-1], strict=True)
        )
        self.last = nn.Conv2d(CHANNELS[0], 4 * 3, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, canvas: Tensor) -> Tensor:
        """Return the pictures; at the start of training those that went in."""
        at, passed = nn.functional.pixel_unshuffle(canvas, 2), []
        for place, block in enumerate(self.down):
            at = block(nn.functional.avg_pool2d(at, 2) if place else at)
            passed.append(at)
        at = passed.pop()
        at = at + self.across(at.flatten(2)).unflatten(2, at.shape[2:])
        for block in self.up:
            larger = nn.functional.interpolate(at, scale_factor=2.0)
            at = block(torch.cat([larger, passed.pop()], dim=1))
        painted: Tensor = canvas[:, :3] + nn.functional.pixel_shuffle(self.last(at), 2)
        return painted


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(GROUPS, after), nn.GELU(),
        nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(GROUPS, after), nn.GELU(),
    )  # fmt: skip
