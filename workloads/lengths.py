"""How much a request asks for where that differs: counts drawn per request, e.g. of tokens."""

from dataclasses import dataclass
from math import log
from typing import Protocol

import numpy as np
import numpy.typing as npt

from workloads.errors import WorkloadError

Counts = npt.NDArray[np.int64]


class Lengths(Protocol):
    """A distribution of whole numbers from 1 to ``most``."""

    @property
    def most(self) -> int:
        """The largest number that can be drawn."""

    def draw(self, rng: np.random.Generator, count: int) -> Counts:
        """Return ``count`` numbers."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """Any number from ``low`` to ``high``, both included, equally likely."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.high:
            raise WorkloadError(
                f"uniform: low {self.low!r}, high {self.high!r}; give 1 <= low <= high"
            )

    @property
    def most(self) -> int:
        """The largest number that can be drawn."""
        return self.high

    def draw(self, rng: np.random.Generator, count: int) -> Counts:
        """Return ``count`` numbers."""
        return rng.integers(self.low, self.high, count, endpoint=True)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Numbers of this mean and coefficient of variation before they are rounded and bounded.

    None is below 1 or above ``most``.
    """

    mean: float
    cv: float
    most: int

    def __post_init__(self) -> None:
        if not (self.mean >= 1 and self.cv > 0 and self.most >= 1):
            raise WorkloadError(
                f"lognormal: mean {self.mean!r}, cv {self.cv!r}, most {self.most!r}; give a mean "
                "and a most of at least 1 and a cv above 0"
            )

    def draw(self, rng: np.random.Generator, count: int) -> Counts:
        """Return ``count`` numbers."""
        variance = log(1 + self.cv**2)
        drawn = rng.lognormal(log(self.mean) - variance / 2, variance**0.5, count)
        return np.clip(np.rint(drawn), 1, self.most).astype(np.int64)
