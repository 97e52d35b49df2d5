"""Batch means: intervals from one long replication, whose requests are correlated.

The series is cut into equal batches; where they are long enough, their means are nearly
independent and give a Student-t interval. *Batch size*: twenty batches, as Schmeiser advises ten
to thirty ("Batch size effects in the analysis of simulation output", Operations Research 30,
1982); where von Neumann's ratio test still finds their means correlated, ten of twice the size.
What lag-1 correlation r is left widens the interval by √((1 + r) / (1 - r)), the correction of
Skart (Tafazzoli, Steiger and Wilson, "N-Skart", INFORMS J. Computing 23, 2011), so that a run that
is too short shows as a wide interval rather than a wrong one.

*Quantiles*: the interval of the fraction of values up to the estimated quantile, by batch means
too, is carried over to the values between whose ranks it lies (Woodruff, "Confidence intervals for
medians and other position measures", J. Am. Stat. Assoc. 47, 1952). That fraction is held to vary
at least as it would without correlation, lest a calm run be believed. A tail that the series is too
short for has no upper bound: the largest value bounds nothing.
"""

from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np
from scipy.special import stdtrit

from experiments.statistics.estimates import (
    BATCH_MEANS,
    Estimate,
    FloatArray,
    Values,
    quantile_of,
    unbounded,
)

MANY, FEW = 20, 10
LEAST_SIZE = 10
"""No batch is smaller: `FEW` of them take a hundred values, and fewer give no interval."""

CRITICAL = 1.645
"""The standard normal quantile of 0.95: the ratio test errs in one of twenty."""

LARGEST_LAG_1 = 0.8
"""A correlation estimated from ten batches is no reason to widen more than threefold."""


@dataclass(frozen=True, slots=True)
class Batching:
    """A series cut into ``len(means)`` batches of ``size`` values.

    ``lag_1`` is the correlation of one batch's mean with the next's; ``correlated`` tells whether
    the ratio test still finds it, after which an interval can be too narrow. What is left over
    when the series is cut comes off its front.
    """

    means: FloatArray
    size: int
    lag_1: float
    correlated: bool

    @property
    def standard_error(self) -> float:
        """Estimated standard error of the series' mean, correlation allowed for."""
        r = min(max(self.lag_1, 0.0), LARGEST_LAG_1)
        spread = float(np.std(self.means, ddof=1)) / sqrt(len(self.means))
        return spread * sqrt((1 + r) / (1 - r))

    def margin(self, probability: float) -> float:
        """Return how far the one-sided bound at ``probability`` lies from the mean."""
        return float(stdtrit(len(self.means) - 1, probability)) * self.standard_error


def batching(values: Values) -> Batching | None:
    """Cut a series by the rule above; None where it is too short, or not finite."""
    series = np.asarray(values, dtype=np.float64)
    if len(series) < FEW * LEAST_SIZE or not np.isfinite(series).all():
        return None
    if len(series) >= MANY * LEAST_SIZE:
        fine = _cut(series, MANY)
        if not fine.correlated:
            return fine
    return _cut(series, FEW)


def batch_mean(values: Values, confidence: float = 0.95) -> Estimate:
    """Return the mean of a correlated series, with an interval where it is long enough."""
    mean = float(np.mean(values))
    cut = batching(values)
    if cut is None:
        return unbounded(mean)
    margin = cut.margin((1 + confidence) / 2)
    return Estimate(mean, mean - margin, mean + margin, BATCH_MEANS)


def batch_quantile(values: Values, quantile: float, confidence: float = 0.95) -> Estimate:
    """Return a quantile of a correlated series, with an interval where it is long enough.

    The upper bound is infinite where the series is too short for one.
    """
    series = np.asarray(values, dtype=np.float64)
    found = quantile_of(series, quantile)
    cut = batching(series <= found) if isfinite(found) else None
    if cut is None:
        return unbounded(found)
    freedom = len(cut.means) - 1
    error = max(cut.standard_error, sqrt(quantile * (1 - quantile) / len(series)))
    margin = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    low = quantile_of(series, max(0.0, quantile - margin))
    beyond_all = (quantile + margin) * (len(series) - 1) > len(series) - 2
    high = inf if beyond_all else quantile_of(series, quantile + margin)
    return Estimate(found, low, high, BATCH_MEANS)


def _cut(series: FloatArray, count: int) -> Batching:
    size = len(series) // count
    means = series[len(series) - count * size :].reshape(count, size).mean(axis=1)
    lag_1, score = _correlation(means)
    return Batching(means, size, lag_1, correlated=score > CRITICAL)


def _correlation(means: FloatArray) -> tuple[float, float]:
    """Return the lag-1 correlation and the score of von Neumann's ratio test.

    The score is standard normal for independent means (Alexopoulos and Seila, "Output data
    analysis", Handbook of Simulation, 1998, section 7.2.2).
    """
    apart = means - means.mean()
    squares = float((apart**2).sum())
    if squares <= (1e-12 * float(np.abs(means).max())) ** 2 * len(means):  # rounding alone
        return 0.0, 0.0
    lag_1 = float((apart[1:] * apart[:-1]).sum()) / squares
    ends = float(apart[0] ** 2 + apart[-1] ** 2) / (2 * squares)
    count = len(means)
    return lag_1, sqrt((count**2 - 1) / (count - 2)) * (lag_1 + ends)
