"""How far one world is from another: step by step, and from end to end.

Steps are joined: the same step of the same attempt of the same request in both worlds. Of each,
two things are compared: how long it took, from when it could begin to its end, and when it ended,
counted from its request's arrival. The second is what a makespan hides: a runner that executes a
plan backwards has every duration right and every moment wrong.

A prediction is of what is typical, and a single step of a real run strays from that. So the error
of a step of a plan is that of its median over all requests planned alike; what remains when single
steps are compared, chance included, stands beside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.statistics.estimates import Estimate
from sim.tables import Tables
from sim.trace import FINISHED

Floats = npt.NDArray[np.float64]

BOOTSTRAP: Final = "bootstrap"
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_KEY = ["run", "replication", "request", "attempt", "step"]
_RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True)
class StepError:
    """Errors of the steps of one kind (``stage`` empty), or of one stage or tensor of that kind.

    ``duration`` is the median, over the steps of all plans, of the magnitude of the relative error
    in how long a step typically took, ``bias`` the same with its sign, ``moment`` the median
    magnitude of the error in when it typically ended, relative to the latency of its request.
    ``single`` is the median magnitude of the relative error in how long each of the ``steps``
    took by itself.
    """

    kind: str
    stage: str
    steps: int
    duration: float
    bias: float
    moment: float
    single: float


@dataclass(frozen=True, slots=True)
class LatencyError:
    """Relative error of a quantile of latency, with a bootstrap interval over requests."""

    quantile: str
    predicted_s: float
    measured_s: float
    error: Estimate


@dataclass(frozen=True, slots=True)
class Errors:
    """How far a prediction is from a measurement.

    ``kinds`` has a row per kind of step, ``stages`` one per stage and tensor, ``latencies`` one
    per quantile. ``matched`` is the fraction of steps that are the same in both worlds; the
    others were planned differently or came to different ends, and are compared with nothing.
    """

    kinds: tuple[StepError, ...]
    stages: tuple[StepError, ...]
    latencies: tuple[LatencyError, ...]
    matched: float

    @property
    def worst_step(self) -> float:
        """The largest median error of any kind of step, in duration or moment."""
        return max((max(each.duration, each.moment) for each in self.kinds), default=nan)

    def latency(self, quantile: str) -> LatencyError:
        """Return the error of a quantile by its name."""
        return next(each for each in self.latencies if each.quantile == quantile)


@dataclass(frozen=True)
class Results:
    """Steps and requests of runs, one below the other, told apart by a column ``run``."""

    steps: pd.DataFrame
    requests: pd.DataFrame

    @classmethod
    def of(cls, run: str, tables: Sequence[Tables], warm_up: int = 0) -> "Results":
        """Return the results of a run, its requests before ``warm_up`` left out."""
        steps = pd.concat([each.steps() for each in tables], ignore_index=True)
        requests = pd.concat([each.requests() for each in tables], ignore_index=True)
        return cls(
            steps[steps["request"] >= warm_up].assign(run=run),
            requests[requests["request"] >= warm_up].assign(run=run),
        )

    @classmethod
    def joined(cls, runs: Iterable["Results"]) -> "Results":
        """Return the results of several runs as one."""
        found = list(runs)
        return cls(
            pd.concat([each.steps for each in found], ignore_index=True),
            pd.concat([each.requests for each in found], ignore_index=True),
        )


def errors(predicted: Results, measured: Results, seed: int = 0) -> Errors:
    """Compare two worlds on the same requests."""
    joined, matched = same_steps(predicted, measured)
    return Errors(
        kinds=tuple(_step_error(str(kind), "", rows) for kind, rows in joined.groupby("kind")),
        stages=tuple(
            _step_error(str(kind), str(stage), rows)
            for (kind, stage), rows in joined.groupby(["kind", "stage"])
        ),
        latencies=_latencies(predicted, measured, np.random.default_rng(seed)),
        matched=matched,
    )


def same_steps(predicted: Results, measured: Results) -> tuple[pd.DataFrame, float]:
    """Return a row per step that both worlds have, and which fraction of all steps that is.

    ``duration`` and ``moment`` are the relative errors of each by itself; see `StepError`.
    """
    ours, theirs = _steps(predicted), _steps(measured)
    both = ours.merge(theirs, on=_KEY, how="outer", suffixes=("", "_real"), indicator=True)
    same = both["_merge"] == "both"
    for name in ("kind", "stage", "place", "outcome"):
        same &= both[name] == both[f"{name}_real"]
    joined = both[same & (both["outcome"] == FINISHED)]
    return _with_errors(joined), float(same.mean())


def _with_errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the relative errors in duration and moment."""
    real_s = np.maximum(rows["duration_s_real"], _LEAST_S)
    return rows.assign(
        duration=rows["duration_s"] / real_s - 1,
        moment=(rows["moment_s"] - rows["moment_s_real"]) / rows["latency_s_real"],
    )


def _typical(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of medians, a row per step of a plan."""
    same = ["run", "attempt", "step", "kind", "stage", "place"]
    times = [name + world for name in ("duration_s", "moment_s", "latency_s") for world in _WORLDS]
    return _with_errors(rows.groupby(same, sort=False)[times].median())


_WORLDS: Final = ("", "_real")


_LEAST_S: Final = 1e-6
"""Shorter durations than this are no measurement: clocks and schedulers are not that fine."""


def _steps(results: Results) -> pd.DataFrame:
    request = ["run", "replication", "request"]
    rows = results.steps.merge(
        results.requests[[*request, "arrival_s", "latency_s"]], on=request, how="left"
    )
    words = [rows[name].astype(str) for name in ("node", "source", "target")]
    return pd.DataFrame(
        {
            **{name: rows[name] for name in (*_KEY, "latency_s")},
            **{name: rows[name].astype(str) for name in ("kind", "stage", "outcome")},
            "place": words[0] + "|" + words[1] + "|" + words[2],
            "duration_s": rows["end_s"] - rows["queued_s"],
            "moment_s": rows["end_s"] - rows["arrival_s"],
        }
    )


def _step_error(kind: str, stage: str, rows: pd.DataFrame) -> StepError:
    typical = _typical(rows)
    return StepError(
        kind,
        stage,
        len(rows),
        float(typical["duration"].abs().median()),
        float(typical["duration"].median()),
        float(typical["moment"].abs().median()),
        float(rows["duration"].abs().median()),
    )


def _latencies(
    predicted: Results, measured: Results, rng: np.random.Generator
) -> tuple[LatencyError, ...]:
    """Return the errors of quantiles over the requests that finished in both worlds."""
    key = ["run", "replication", "request"]
    both = _finished(predicted).merge(_finished(measured), on=key, suffixes=("", "_real"))
    ours, theirs = both["latency_s"].to_numpy(), both["latency_s_real"].to_numpy()
    if not len(both):
        return ()
    drawn = rng.integers(len(both), size=(_RESAMPLES, len(both)))
    return tuple(
        LatencyError(
            name,
            float(np.quantile(ours, quantile)),
            float(np.quantile(theirs, quantile)),
            _interval(ours, theirs, drawn, quantile),
        )
        for name, quantile in QUANTILES.items()
    )


def _finished(results: Results) -> pd.DataFrame:
    return results.requests[results.requests["outcome"] == FINISHED]


def _interval(
    ours: Floats, theirs: Floats, drawn: npt.NDArray[np.int64], quantile: float
) -> Estimate:
    """Return the relative error of a quantile, with the percentile bootstrap's 95 % interval.

    Requests are drawn in pairs, as they were asked (Efron 1979, doi 10.1214/aos/1176344552).
    """
    error = float(np.quantile(ours, quantile) / np.quantile(theirs, quantile) - 1)
    again = np.quantile(ours[drawn], quantile, axis=1) / np.quantile(
        theirs[drawn], quantile, axis=1
    )
    low, high = np.quantile(again - 1, (0.025, 0.975))
    return Estimate(error, float(low), float(high), BOOTSTRAP)
