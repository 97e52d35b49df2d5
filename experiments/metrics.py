"""Metrics of a run: what is asked of the tables of its replications.

A figure is worked out for each replication, from its requests after the warm-up, and then given
as the mean over replications with a Student-t interval, since requests of one replication share
queues and are not independent. Of a single replication, batch means give the interval.
"""

from collections.abc import Mapping, Sequence
from math import inf, isnan, nan

import numpy as np

from experiments.saturation import occupied_s
from experiments.statistics.batches import batch_mean, batch_quantile
from experiments.statistics.estimates import (
    Estimate,
    FloatArray,
    estimate,
    quantile_of,
    unbounded,
)
from sim.columns import Table, chosen
from sim.trace import FINISHED, Trace

QUANTILES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}
PER_REQUEST = ("bytes_up", "bytes_down", "energy_j", "cost_usd")
LATENCY_METRICS = (*QUANTILES, "mean_s", "deadline_met")
TOKEN_METRICS = ("first_token_s", "token_gap_s", "tokens_per_s")
"""These, where they are at all, and those of latency have no value without a steady state."""


def replication_metrics(requests: Table, warm_up: int, deadline_s: float) -> dict[str, float]:
    """Return the metrics of one replication's requests, the first ``warm_up`` left out.

    A request that did not finish misses its deadline; latencies are those of the finished ones.
    """
    counted = chosen(requests, requests["request"] >= warm_up)
    finished = chosen(counted, counted["outcome"] == FINISHED)
    latency_s, count = finished["latency_s"], len(counted["request"])
    span_s = float(counted["end_s"].max() - counted["arrival_s"].min())
    return {
        **{name: quantile_of(latency_s, quantile) for name, quantile in QUANTILES.items()},
        "mean_s": float(latency_s.mean()) if len(latency_s) else nan,
        "deadline_met": float((latency_s <= deadline_s).sum() / count),
        "throughput_per_s": len(latency_s) / span_s if span_s else nan,
        **{name: float(counted[name].mean()) for name in PER_REQUEST},
        "pixels_max_node": float(counted["pixels_max_node"].max()),
        "pixels_max_pair": float(counted["pixels_max_pair"].max()),
        "mixes": float(counted["mixes"].any()),
        **_token_metrics(finished),
    }


def single_metrics(
    requests: Table, warm_up: int, deadline_s: float, figures: Mapping[str, float]
) -> dict[str, Estimate]:
    """Return the metrics of the only replication, with intervals by batch means.

    ``figures`` are what `replication_metrics` says of it. Throughput, and what is largest over
    requests, have no interval.
    """
    counted = chosen(requests, requests["request"] >= warm_up)
    latency_s = counting_latencies(counted)
    finished_s = latency_s[np.isfinite(latency_s)]
    found = {name: unbounded(value) for name, value in figures.items()}
    if len(finished_s):
        found |= {name: batch_quantile(finished_s, q) for name, q in QUANTILES.items()}
        found["mean_s"] = batch_mean(finished_s)
    found["deadline_met"] = batch_mean(latency_s <= deadline_s)
    return found | {name: batch_mean(counted[name]) for name in PER_REQUEST}


def _token_metrics(finished: Table) -> dict[str, float]:
    """Return what there is to say of written answers, where any was written.

    Means over requests: ``first_token_s`` from the request's arrival, ``token_gap_s`` from one
    token to the next, ``tokens_per_s`` of a request from its arrival to its end.
    """
    written = chosen(finished, finished["tokens"] > 0)
    if not len(written["tokens"]):
        return {}
    gap_s = written["token_gap_s"]
    known_s = gap_s[~np.isnan(gap_s)]
    return {
        "first_token_s": float(written["first_token_s"].mean()),
        "token_gap_s": float(known_s.mean()) if len(known_s) else nan,
        "tokens_per_s": float((written["tokens"] / written["latency_s"]).mean()),
    }


def counting_latencies(requests: Table) -> FloatArray:
    """Return the latencies in the order of arrival; infinite where a request failed."""
    return np.where(requests["outcome"] == FINISHED, requests["latency_s"], inf)


def utilisation(trace: Trace) -> dict[str, float]:
    """Return the busy fraction of each device and the used fraction of each channel, by name."""
    if not trace.end_s:
        return {}
    return {name: taken_s / trace.end_s for name, taken_s in occupied_s(trace).items()}


def summarise(replications: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Return each metric's estimate over the replications that have it."""
    return {
        key: estimate([row[key] for row in replications if not isnan(row.get(key, nan))] or [nan])
        for key in dict.fromkeys(key for row in replications for key in row)
    }
