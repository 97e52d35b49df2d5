"""A figure with its interval, and how independent values make one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, nan, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

FloatArray = npt.NDArray[np.float64]
Values = Sequence[float] | npt.NDArray[np.float64] | npt.NDArray[np.bool_]
"""What figures are worked out from; truths count 1."""

REPLICATIONS: Final = "replications"
BATCH_MEANS: Final = "batch means"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its confidence interval; ``method`` names what the interval came from.

    The bounds are NaN, and ``method`` is empty, where there is no telling: for an infinite mean,
    or too few values. ``high`` may be infinite, where the values bound the figure on one side.
    """

    mean: float
    low: float
    high: float
    method: str = REPLICATIONS

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2

    @property
    def relative_half_width(self) -> float:
        """Half the width of the interval as a fraction of the mean; NaN where there is none."""
        return self.half_width / abs(self.mean) if self.mean else nan


def unbounded(mean: float) -> Estimate:
    """Return a figure without an interval."""
    return Estimate(mean, nan, nan, "")


def estimate(values: Values, confidence: float = 0.95) -> Estimate:
    """Return the mean of independent ``values`` with a two-sided Student-t interval.

    >>> estimate([1.0, 2.0, 3.0]).mean
    2.0
    """
    count = len(values)
    mean = float(values[0]) if count == 1 else float(np.mean(values))
    if count < 2 or not isfinite(mean):
        return unbounded(mean)
    spread = float(np.std(values, ddof=1)) / sqrt(count)
    margin = float(stdtrit(count - 1, (1 + confidence) / 2)) * spread
    return Estimate(mean, mean - margin, mean + margin)


def quantile_of(values: Values, quantile: float) -> float:
    """Return the order statistic at ``quantile``, the higher of two; NaN where there is no value.

    It may be infinite, where a failed request counts as an infinite latency.
    """
    found = np.asarray(values, dtype=np.float64)
    if not len(found) or np.isnan(found).any():
        return nan
    place = ceil((len(found) - 1) * quantile)
    return float(np.partition(found, place)[place])
