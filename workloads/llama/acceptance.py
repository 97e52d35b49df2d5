"""How many guessed tokens hold, where no real text decides it: in simulation."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from workloads.errors import WorkloadError


@dataclass(frozen=True, slots=True)
class Independent:
    """Every guess holds with the same ``probability``, if all before it do.

    Of k guesses checked in one round trip (1 - p^(k+1)) / (1 - p) tokens come on average, the one
    that follows the last right guess included (Leviathan, Kalman, Matias 2023, arXiv 2211.17192,
    equation 1).
    """

    probability: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise WorkloadError(f"text.acceptance: {self.probability!r}; give 0 to 1")

    def expected(self, most: int) -> float:
        """Return how many tokens come of a check of which ``most`` may, on average.

        >>> Independent(0.5).expected(3)
        1.75
        """
        return float(sum(self.probability**guesses for guesses in range(most)))

    def kept(self, most: int, turn: int, rng: np.random.Generator) -> int:
        """Return how many tokens come of a check of which ``most`` may, from 1 on."""
        del turn
        wrong = np.flatnonzero(rng.random(most - 1) >= self.probability)
        return int(wrong[0]) + 1 if len(wrong) else most


@dataclass(frozen=True, slots=True)
class Replayed:
    """So many tokens came of one check after the other, over and over again: as measured."""

    tokens: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.tokens or min(self.tokens) < 1:
            raise WorkloadError(
                f"text.acceptance: {list(self.tokens)!r}; give tokens per check, each at least 1"
            )

    def expected(self, most: int) -> float:
        """Return how many tokens come of a check of which ``most`` may, on average."""
        return sum(min(most, tokens) for tokens in self.tokens) / len(self.tokens)

    def kept(self, most: int, turn: int, rng: np.random.Generator) -> int:
        """Return what came of the ``turn``-th check of a text, at most ``most``."""
        del rng
        return min(most, self.tokens[turn % len(self.tokens)])


Acceptance = Independent | Replayed
NEVER: Final = Independent(0.0)
