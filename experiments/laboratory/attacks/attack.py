"""The one seam of the attackers: fit on pictures of the same distribution, then reconstruct."""

from typing import Protocol

import numpy as np

from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.views import Views

Known = tuple[Views, Pictures]
"""What was held of some pictures, and the pictures."""


class Attack(Protocol):
    """One attacker on one coalition.

    White box: it has views and pictures of a split of its own to learn from, recorded as those
    that it attacks, and another to choose its settings by.
    """

    @property
    def name(self) -> str:
        """Which attack of the portfolio it is."""
        ...

    def fit(
        self, views: Views, pictures: Pictures, validation: Known, rng: np.random.Generator
    ) -> None:
        """Learn from what was held of pictures."""
        ...

    def reconstruct(self, views: Views) -> Pictures:
        """Return whole pictures, (n, side, side, 3); seen pixels are copied from the canvas."""
        ...
