"""A4: the picture that the clouds' own model turns into what was received.

argmin ‖f(x) - v‖² + λ·TV(x), TV the total variation, by Adam (Mahendran and Vedaldi 2015, arXiv
1412.0035, with Adam in place of momentum). It needs no pictures but for where to start, and λ.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from experiments.laboratory.attacks.attack import Known
from experiments.laboratory.attacks.learning import planes
from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.views import Views

Observed = Callable[[Tensor], Tensor]
"""f: pictures at the working size, (n, 3, side, side), to what is received of them, (n, …)."""

WEIGHTS: Final = (0.0, 1e-3, 1e-2, 1e-1, 1.0)
"""What λ is chosen from, misfit being 1 for the mean of what was received."""


@dataclass(slots=True)
class Optimisation:
    """Fits pictures to what was received of them; ``f`` has to be differentiable.

    λ is the one of ``weights`` that does best on the first ``tried`` pictures of the validation
    split. All follows from its arguments: it takes no chance.
    """

    f: Observed
    steps: int = 300
    rate: float = 0.05
    weights: tuple[float, ...] = WEIGHTS
    tried: int = 16
    batch: int = 64
    device: str = "cpu"
    weight: float = field(default=0.0, init=False)
    name: str = field(default="A4", init=False)
    _mean: Tensor = field(init=False, repr=False)
    _variance: Tensor = field(init=False, repr=False)

    def fit(
        self, views: Views, pictures: Pictures, validation: Known, rng: np.random.Generator
    ) -> None:
        """Take the means, and choose λ."""
        del rng
        self._mean = planes(pictures.mean(axis=0, keepdims=True)).to(self.device)
        variances = views.numbers.var(axis=0, dtype=np.float64)
        self._variance = torch.tensor(float(variances.mean())).clamp(min=1e-12)
        part = slice(0, self.tried)
        held, truth = validation[0].of(part), validation[1][part]
        errors = []
        for weight in self.weights:
            self.weight = weight
            apart = (self.reconstruct(held) - truth)[:, views.unseen] ** 2
            errors.append(float(apart.mean()) if apart.size else 0.0)
        self.weight = self.weights[int(np.argmin(errors))]

    def reconstruct(self, views: Views) -> Pictures:
        """Return canvases on the pictures found."""
        found = [
            self._found(views.of(slice(first, first + self.batch)))
            for first in range(0, len(views), self.batch)
        ]
        return views.completed(np.concatenate(found))

    def _found(self, views: Views) -> Pictures:
        """Return the best pictures of one batch; what was shown stays as it is."""
        seen = torch.from_numpy(views.seen).to(self.device)
        canvas = planes(views.canvas).to(self.device)
        wanted = torch.from_numpy(views.numbers.astype(np.float32)).to(self.device)
        guess = self._mean.repeat(len(views), 1, 1, 1).requires_grad_()
        adam = torch.optim.Adam([guess], self.rate)
        for _ in range(self.steps):
            whole = torch.where(seen, canvas, guess)
            apart = ((self.f(whole).flatten(1) - wanted) ** 2).mean(dim=1) / self._variance
            adam.zero_grad()
            (apart + self.weight * variation(whole)).sum().backward()
            adam.step()
            with torch.no_grad():
                guess.clamp_(0, 1)
        return np.asarray(guess.detach().permute(0, 2, 3, 1).cpu().numpy())


def variation(pictures: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbours, down and across, of each picture, (n,)."""
    down = (pictures[:, :, 1:] - pictures[:, :, :-1]).abs().mean(dim=(1, 2, 3))
    across = (pictures[..., 1:] - pictures[..., :-1]).abs().mean(dim=(1, 2, 3))
    return down + across
