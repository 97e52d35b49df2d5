"""How much of a run's beginning to leave out: MSER-5.

The run starts empty, so its first requests are faster than those to come. MSER-5 (White, "An
effective truncation heuristic for bias reduction in simulation output", Simulation 69, 1997; in
batches of five: White, Cobb and Spratt, Winter Simulation Conference 2000) leaves out the
beginning after which the rest estimates its mean with the smallest standard error: leaving out a
transient lowers the spread, leaving out more only the number of values.

It is put to the *mean over replications*, as Hoad, Robinson and Davies found best ("Automating
warm-up length estimation", J. Operational Research Society 61, 2010): averaging leaves the
transient, which all replications share, and takes away noise, which a single replication's MSER
mistakes for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.statistics.estimates import FloatArray

BATCH = 5
LEAST_BATCHES = 10
"""Fewer batches say nothing of a transient."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The first ``requests`` of each replication are left out.

    ``found`` is false where the spread falls until the middle of the run or further, so that the
    run may be all transient; half of it is left out then.
    """

    requests: int
    found: bool = True


def mser5(series: Sequence[Sequence[float]] | Sequence[FloatArray]) -> WarmUp:
    """Return the warm-up of replications of equal length; values that are not finite count not.

    >>> mser5([[9.0] * 10 + [1.0, 2.0] * 50])
    WarmUp(requests=10, found=True)
    """
    together = np.asarray(series, dtype=np.float64)
    known = np.isfinite(together)
    sums = np.where(known, together, 0.0).sum(axis=0)
    counts = known.sum(axis=0)
    mean = (sums / np.maximum(counts, 1))[counts > 0]
    batches = len(mean) // BATCH
    if batches < LEAST_BATCHES:
        return WarmUp(0, found=False)
    means = mean[: batches * BATCH].reshape(batches, BATCH).mean(axis=1)
    best = int(np.argmin(_squared_error(means)))
    if best > batches // 2:
        return WarmUp(len(mean) // 2, found=False)
    places = np.flatnonzero(counts > 0)
    return WarmUp(int(places[best * BATCH]))


def _squared_error(means: FloatArray) -> FloatArray:
    """Return the squared standard error of the mean of all values from each place on.

    The last few are not considered: a handful of values may be alike by chance.
    """
    kept = np.arange(len(means), 0, -1)
    total, squares = (np.cumsum(part[::-1])[::-1] for part in (means, means**2))
    error: FloatArray = (squares - total**2 / kept) / kept.astype(float) ** 2
    return error[: -(LEAST_BATCHES // 2)]
