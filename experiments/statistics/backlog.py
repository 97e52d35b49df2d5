"""Does a backlog grow for as long as load lasts? Two one-sided tests with few false alarms.

*Load*: the work that a request brings to a resource, times the rate of arrivals, is the load
offered to it; above 1 there is no steady state (Loynes 1962, for a single server). *Growth*: the
number of requests in the system rises, window by window, in the second half of the arrivals. The
first knows the rate and the capacity exactly and sees a load slightly above 1; the second knows
neither and sees what capacities on paper do not show, such as faults.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from experiments.statistics.estimates import FloatArray

WINDOWS = 10
LEAST_REQUESTS = 200
"""Windows of fewer than ten arrivals are all noise."""


def lower_bounds(values: FloatArray, probability: float) -> FloatArray:
    """Return the one-sided lower Student-t bound of the mean of each column."""
    count = len(values)
    spread = np.std(values, axis=0, ddof=1) / np.sqrt(count)
    bounds: FloatArray = np.mean(values, axis=0) - stdtrit(count - 1, probability) * spread
    return bounds


def growth(arrivals_s: Sequence[float] | FloatArray, ends_s: Sequence[float] | FloatArray
           ) -> FloatArray:  # fmt: skip
    """Return by how many requests in the system grow per arrival, in each window.

    The windows divide the second half of the arrivals evenly; none where there are too few. A
    stable system has 0 on average, one that completes nothing 1.
    """
    arrived = np.sort(np.asarray(arrivals_s, dtype=np.float64))
    if len(arrived) < LEAST_REQUESTS:
        return np.empty(0)
    edges = np.linspace(len(arrived) // 2, len(arrived) - 1, WINDOWS + 1).astype(int)
    left = np.searchsorted(np.sort(np.asarray(ends_s)), arrived[edges], side="right")
    grown: FloatArray = np.diff(edges - left) / np.diff(edges)
    return grown
