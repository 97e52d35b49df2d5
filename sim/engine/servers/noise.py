"""How far service times stray from their prediction: factors with which they are multiplied."""

from math import log, sqrt
from typing import Protocol

import numpy as np


class Noise(Protocol):
    """A source of factors, one per job."""

    def factor(self) -> float:
        """Return the next job's actual over its predicted service time."""
        ...


class Lognormal:
    """Factors of mean 1 and coefficient of variation ``cv``, lognormally distributed.

    With sigma² = ln(1 + cv²) and mu = -sigma² / 2, as for any lognormal variable of mean 1.
    """

    def __init__(self, cv: float, generator: np.random.Generator) -> None:
        variance = log(1.0 + cv * cv)
        self._mean = -variance / 2
        self._deviation = sqrt(variance)
        self._generator = generator

    def factor(self) -> float:
        """Return the next factor."""
        return float(self._generator.lognormal(self._mean, self._deviation))


class Empirical:
    """Factors drawn, each as likely, from a table of measured ones; their mean is the table's."""

    def __init__(self, factors: tuple[float, ...], generator: np.random.Generator) -> None:
        self._factors = factors
        self._generator = generator

    def factor(self) -> float:
        """Return the next factor."""
        return self._factors[int(self._generator.integers(len(self._factors)))]
