"""Metrics of a run: what is asked of the tables of its replications.

A figure is worked out for each replication, from its requests after the warm-up, and then given
as the mean over replications with a Student-t interval, since requests of one replication share
queues and are not independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan, sqrt

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from sim.trace import FINISHED, Trace

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over replications and its confidence interval.

    The bounds are NaN where there is no telling: for a single replication, or an infinite mean.
    """

    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


def estimate(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the mean of independent ``values`` with a two-sided Student-t interval.

    >>> estimate([1.0, 2.0, 3.0]).mean
    2.0
    """
    count = len(values)
    mean = float(np.mean(values))
    if count < 2 or not isfinite(mean):
        return Estimate(mean, nan, nan)
    spread = float(np.std(values, ddof=1)) / sqrt(count)
    margin = float(stdtrit(count - 1, (1 + confidence) / 2)) * spread
    return Estimate(mean, mean - margin, mean + margin)


def quantile_of(values: Sequence[float] | FloatArray, quantile: float) -> float:
    """Return the order statistic at ``quantile``, the higher of two; NaN where there is no value.

    It may be infinite, where a failed request counts as an infinite latency.
    """
    found = np.asarray(values)
    return float(np.quantile(found, quantile, method="higher")) if len(found) else nan


def replication_metrics(
    requests: pd.DataFrame, warm_up: int, deadline_s: float
) -> dict[str, float]:
    """Return the metrics of one replication's requests, the first ``warm_up`` left out.

    A request that did not finish misses its deadline; latencies are those of the finished ones.
    """
    counted = requests[requests["request"] >= warm_up]
    finished = counted[counted["outcome"] == FINISHED]
    latency_s = finished["latency_s"].to_numpy()
    span_s = float(counted["end_s"].max() - counted["arrival_s"].min())
    return {
        "p50_s": quantile_of(latency_s, 0.5),
        "p95_s": quantile_of(latency_s, 0.95),
        "p99_s": quantile_of(latency_s, 0.99),
        "mean_s": float(latency_s.mean()) if len(latency_s) else nan,
        "deadline_met": float((latency_s <= deadline_s).sum() / len(counted)),
        "throughput_per_s": len(finished) / span_s if span_s else nan,
        "bytes_up": float(counted["bytes_up"].mean()),
        "bytes_down": float(counted["bytes_down"].mean()),
        "energy_j": float(counted["energy_j"].mean()),
        "cost_usd": float(counted["cost_usd"].mean()),
        "pixels_max_node": float(counted["pixels_max_node"].max()),
        "pixels_max_pair": float(counted["pixels_max_pair"].max()),
        "mixes": float(counted["mixes"].any()),
    }


def utilisation(trace: Trace) -> dict[str, float]:
    """Return the busy fraction of each device and the used fraction of each channel, by name."""
    if not trace.end_s:
        return {}
    devices = {
        name: busy_s / trace.end_s / _slots(trace, name) for name, busy_s in trace.busy_s.items()
    }
    channels = {
        channel.name: carried * 8 / channel.rate_bits_per_s / trace.end_s
        for channel, carried in zip(trace.topology.channels, trace.carried_bytes, strict=True)
    }
    return {**devices, **channels}


def summarise(replications: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Return each metric's estimate over the replications that have it."""
    return {
        key: estimate([row[key] for row in replications if not isnan(row[key])] or [nan])
        for key in replications[0]
    }


def _slots(trace: Trace, name: str) -> int:
    device = trace.topology.node(name).device
    return device.slots if device else 1
