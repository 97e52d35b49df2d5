"""A queue whose waits are known exactly, as a source of correlated series."""

from math import log

import numpy as np


def mm1_waits(rng: np.random.Generator, count: int, load: float) -> np.ndarray:
    """Return the waits in queue of ``count`` jobs of a stationary M/M/1, in mean service times.

    Lindley's recursion, whose start is drawn from the stationary distribution.
    """
    first = rng.exponential(1 / (1 - load)) if rng.random() < load else 0.0
    gaps = rng.exponential(1 / load, count - 1)
    steps = np.concatenate([[0.0], np.cumsum(rng.exponential(1.0, count - 1) - gaps)])
    return steps + np.maximum(first, -np.minimum.accumulate(steps))


def mm1_mean(load: float) -> float:
    """Return the mean wait: Kleinrock, Queueing Systems I, section 3.2."""
    return load / (1 - load)


def mm1_quantile(load: float, quantile: float) -> float:
    """Return a quantile of the wait above the fraction that does not wait."""
    return log(load / (1 - quantile)) / (1 - load)
