"""How latencies are distributed: what part of all requests has ended after how long."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from experiments.reports.kept import Run, pooled_s
from experiments.reports.look import chart, colour, dash, line_at, log_axis
from experiments.reports.values import Figure, Section, View
from experiments.reports.wording import rounded

_POINTS: Final = 400
"""As many of a curve as a screen can show; the slowest are all among them."""
_SLOWEST: Final = 100
_VIEWS: Final = {"all": (0.0, 1.02), "the slowest tenth": (0.9, 1.002)}


def section(runs: Sequence[Run]) -> Section | None:
    """Return the distributions, of all runs that have one."""
    steady = [run for run in runs if not run.campaign.saturation]
    if not steady:
        return None
    curves = [curve(run) for run in steady]
    deadline_ms = runs[0].campaign.scenario.deadline_s * 1e3
    views = tuple(
        View(_chart(steady, curves, deadline_ms, low_high), (("requests", name),))
        for name, low_high in _VIEWS.items()
    )
    caption = (
        "The fraction of requests that had ended within a time, all replications together, the "
        "warm-up left out. A request that failed never ends, so its curve stays below 100 %. "
        f"Dotted: the deadline, {rounded(deadline_ms)} ms."
    )
    figure = Figure("latency", "Latency", caption, views, pd.concat(curves, ignore_index=True))
    left_out = [run.label for run in runs if run.campaign.saturation]
    prose = (f"No curve where there is no steady state: {', '.join(left_out)}.",)
    return Section("latency", "Latency", prose if left_out else (), (figure,))


def curve(run: Run) -> pd.DataFrame:
    """Return the points of a run's distribution: ``latency_ms``, and the ``fraction`` by then."""
    ordered = np.sort(np.asarray(pooled_s(run)))
    ended = ordered[np.isfinite(ordered)]
    places = _places(len(ended))
    return pd.DataFrame(
        {
            "policy": run.label,
            "latency_ms": ended[places] * 1e3,
            "fraction": (places + 1) / len(ordered),
        }
    )


def _places(count: int) -> npt.NDArray[np.int64]:
    """Return the ranks that are drawn: evenly many of all, and each of the slowest."""
    if count <= _POINTS:
        return np.arange(count, dtype=np.int64)
    even = np.linspace(0, count - 1, _POINTS - _SLOWEST).round().astype(np.int64)
    return np.union1d(even, np.arange(count - _SLOWEST, count))


def _chart(
    runs: Sequence[Run],
    curves: Sequence[pd.DataFrame],
    deadline_ms: float,
    low_high: tuple[float, float],
) -> go.Figure:
    worlds = _worlds(runs)
    traces = [
        go.Scatter(
            x=points["latency_ms"],
            y=points["fraction"],
            mode="lines",
            name=run.label,
            line={"color": colour(run.number), "shape": "hv", "width": 2,
                  "dash": dash(run.number) if len(worlds) == 1 else worlds[_world(run)]},
            meta={"run": run.label},
            hovertemplate="%{y:.2%} within %{x:.4g} ms<extra>%{fullData.name}</extra>",
        )
        for run, points in zip(runs, curves, strict=True)
    ]  # fmt: skip
    return chart(
        traces,
        log_axis(*_ends_ms(curves), "latency, ms"),
        {"title": "part of all requests", "tickformat": ".0%" if low_high[0] < 0.5 else ".1%",
         "range": low_high},
        shapes=[line_at(deadline_ms, "deadline", vertical=True)],
    )  # fmt: skip


def _ends_ms(curves: Sequence[pd.DataFrame]) -> tuple[float, float]:
    """Return the least and the greatest latency drawn."""
    latency_ms = pd.concat([points["latency_ms"] for points in curves])
    return max(latency_ms.min(), 1e-3), max(latency_ms.max(), 1e-3)


def _worlds(runs: Sequence[Run]) -> dict[str, str]:
    """Return the dashes of each world: what is simulated is dashed beside what is real."""
    found = list(dict.fromkeys(_world(run) for run in runs))
    return {world: "dash" if world == "sim" and len(found) > 1 else "solid" for world in found}


def _world(run: Run) -> str:
    return str(run.kept.manifest["world"])
