"""Numbers as people read them: with a unit, and no more digits than they are worth."""

from math import isfinite, isinf, isnan

from experiments.statistics.estimates import BATCH_MEANS, Estimate
from experiments.statistics.paired import ROUNDING
from sim.runner import AUTO, WarmUp

NONE = "–"


def rounded(value: float, digits: int = 3) -> str:
    """Return a number to so many significant digits; a dash where there is none.

    >>> rounded(1234.5), rounded(0.012345), rounded(25.0)
    ('1234', '0.0123', '25')
    """
    if isnan(value):
        return NONE
    if isinf(value):
        return "∞"
    whole = len(f"{abs(value):.0f}")
    return f"{value:.0f}" if whole >= digits else f"{value:.{digits}g}"


def milliseconds(value_s: float) -> str:
    """Return seconds as milliseconds, without a unit, for a column that names it."""
    return rounded(value_s * 1e3)


def percent(fraction: float, digits: int = 1) -> str:
    """Return a fraction in per cent.

    >>> percent(0.12345), percent(float("nan"))
    ('12.3 %', '–')
    """
    return NONE if isnan(fraction) else f"{fraction * 100:.{digits}f} %"


def with_interval(value: Estimate, scale: float = 1.0) -> str:
    """Return a figure with its interval: ± where it is symmetric, both bounds where it is not.

    >>> with_interval(Estimate(0.2, 0.18, 0.22), 1e3)
    '200 ± 20'
    """
    mean, low, high = (each * scale for each in (value.mean, value.low, value.high))
    if isnan(low):
        return rounded(mean)
    if not isfinite(high):
        return f"{rounded(mean)} ({rounded(low)} or more)"
    if high - low <= ROUNDING * abs(mean):
        return f"{rounded(mean)} ± 0"
    if value.method == BATCH_MEANS:
        return f"{rounded(mean)} ({rounded(low)} to {rounded(high)})"
    return f"{rounded(mean)} ± {rounded(value.half_width * scale, 2)}"


def warmed_up(requests: WarmUp) -> str:
    """Return how many requests are left out, in words."""
    return "found by MSER-5" if requests == AUTO else f"{requests} requests"
