"""A4: the picture that the clouds' own model turns into what was received.

argmin ‖f(x) - v‖² + λ·TV(x), TV the total variation, by Adam (Mahendran and Vedaldi 2015, arXiv
1412.0035, with Adam in place of momentum), from what ridge regression (A2) makes of v. Each number
of v counts by its deviation among pictures known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from experiments.laboratory.attacks.attack import Known
from experiments.laboratory.attacks.learning import planes
from experiments.laboratory.attacks.metrics import identification
from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.ridge import Ridge
from experiments.laboratory.attacks.views import Views

Function = Callable[[Tensor, Tensor], Tensor]
"""f: pictures at the working size, (n, 3, side, side), and what was held, v, to what would be held
of the pictures: both (n, features). Of v it may take what need not be found."""

WEIGHTS: Final = (0.0, 0.03, 0.3, 3.0)
"""What λ is chosen from, misfit being 1 for the mean of what was received."""


@dataclass(frozen=True, slots=True)
class Descending:
    """What descent may spend: steps, how far a pixel may go in each of them, pictures at once.

    λ is the one of ``weights`` that brings the first ``tried`` pictures of the validation split
    nearest to the first rank among all of that (`metrics.identification`), by the mean logarithm.
    """

    steps: int
    rate: float
    tried: int
    weights: tuple[float, ...] = WEIGHTS
    batch: int = 16


class Optimisation:
    """Fits pictures to what was received of them; ``function`` has to be differentiable.

    Without one, for a node that holds nothing that depends on what it does not see, they stay what
    they begin with. It takes no chance.
    """

    name = "A4"

    def __init__(self, function: Function | None, spending: Descending) -> None:
        self._function = function
        self._spending = spending
        self._start = Ridge()
        self.weight = 0.0

    def fit(
        self, views: Views, pictures: Pictures, validation: Known, rng: np.random.Generator
    ) -> None:
        """Learn where to begin, and choose λ."""
        self._start.fit(views, pictures, validation, rng)
        if self._function is None:
            return
        self._scales = torch.from_numpy(views.transcript.scales.astype(np.float32))
        some, gallery = slice(0, self._spending.tried), validation[1]
        held, truth, unseen = validation[0].of(some), gallery[some], views.unseen
        farness = []
        for weight in self._spending.weights:
            self.weight = weight
            guessed = self.reconstruct(held)
            ranks = identification(guessed, truth, gallery, unseen, rng, len(gallery))
            farness.append(float(np.log(ranks).mean()))
        self.weight = self._spending.weights[int(np.argmin(farness))]

    def reconstruct(self, views: Views) -> Pictures:
        """Return canvases on the pictures found."""
        begun, function = self._start.reconstruct(views), self._function
        if function is None:
            return begun
        batch = self._spending.batch
        parts = (slice(first, first + batch) for first in range(0, len(views), batch))
        found = [self._found(function, views.of(part), begun[part]) for part in parts]
        return views.completed(np.concatenate(found))

    def _found(self, function: Function, views: Views, begun: Pictures) -> Pictures:
        """Return the best pictures of one batch; what was shown stays as it is."""
        seen, canvas = torch.from_numpy(views.seen), planes(views.canvas)
        held = torch.from_numpy(views.numbers.astype(np.float32))
        guess = planes(begun).requires_grad_()
        adam = torch.optim.Adam([guess], self._spending.rate)
        for _ in range(self._spending.steps):
            whole = torch.where(seen, canvas, guess)
            apart = (((function(whole, held) - held) * self._scales) ** 2).mean(dim=1)
            adam.zero_grad()
            (apart + self.weight * variation(whole)).sum().backward()
            adam.step()
            with torch.no_grad():
                guess.clamp_(0, 1)
        return np.asarray(guess.detach().permute(0, 2, 3, 1).numpy())


def variation(pictures: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbours, down and across, of each picture, (n,)."""
    down = (pictures[:, :, 1:] - pictures[:, :, :-1]).abs().mean(dim=(1, 2, 3))
    across = (pictures[..., 1:] - pictures[..., :-1]).abs().mean(dim=(1, 2, 3))
    return down + across
