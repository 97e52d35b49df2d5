"""Latency, exposure and cost against one another, and which policies nothing beats in all three."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from experiments.reports.kept import Run
from experiments.reports.look import chart, colour, line_at, log_axis, symbol
from experiments.reports.values import Figure, Section, View
from experiments.reports.wording import percent, rounded, with_interval
from workloads.catalogue import generates

OBJECTIVES = ("p99_ms", "pixels", "cost_musd")
_LEAST_PX, _MOST_PX = 10.0, 34.0


def section(runs: Sequence[Run]) -> Section | None:
    """Return the policies that have a latency; nothing of models that look at no picture."""
    steady = [run for run in runs if not run.campaign.saturation]
    if len(steady) < 2 or generates(runs[0].campaign.scenario.workload.model):
        return None
    data = pd.DataFrame([_row(run) for run in steady])
    data["front"] = front(data, OBJECTIVES)
    deadline_ms = runs[0].campaign.scenario.deadline_s * 1e3
    best = ", ".join(data["policy"][data["front"]])
    caption = (
        "Further left is faster, further down shows less, smaller is cheaper. Filled: on the "
        "Pareto front of the three, no other policy is as good in all and better in one "
        f"({best}). Exposure is the largest part of one input that a single cloud received; "
        "costs are per request."
    )
    figure = Figure(
        "pareto", "Latency, exposure, cost", caption,
        (View(_chart(steady, data, deadline_ms)),), data, 420,
    )  # fmt: skip
    return Section("pareto", "Latency, exposure and cost", (), (figure,))


def _row(run: Run) -> dict[str, object]:
    metrics = run.campaign.metrics
    return {
        "policy": run.label,
        "p99_ms": metrics["p99_s"].mean * 1e3,
        "p99_low_ms": metrics["p99_s"].low * 1e3,
        "p99_high_ms": metrics["p99_s"].high * 1e3,
        "pixels": metrics["pixels_max_node"].mean,
        "pixels_by_two": metrics["pixels_max_pair"].mean,
        "cost_musd": metrics["cost_usd"].mean * 1e3,
    }


def front(data: pd.DataFrame, objectives: Sequence[str]) -> list[bool]:
    """Return which rows no other row equals in all objectives and beats in one, less being better.

    >>> front(pd.DataFrame({"a": [1, 2, 2], "b": [2, 1, 2]}), ["a", "b"])
    [True, True, False]
    """
    points = data[list(objectives)].to_numpy()
    return [
        not ((points <= point).all(axis=1) & (points < point).any(axis=1)).any() for point in points
    ]


def _chart(runs: Sequence[Run], data: pd.DataFrame, deadline_ms: float) -> go.Figure:
    dearest = max(data["cost_musd"].max(), 1e-12)
    traces = [
        go.Scatter(
            x=[row["p99_ms"]],
            y=[row["pixels"]],
            mode="markers",
            name=run.label,
            marker={
                "size": _LEAST_PX + (_MOST_PX - _LEAST_PX) * (row["cost_musd"] / dearest) ** 0.5,
                "symbol": symbol(run.number) + ("" if row["front"] else "-open"),
                "color": colour(run.number),
                "line": {"width": 2, "color": colour(run.number)},
                "opacity": 0.85,
            },
            meta={"run": run.label},
            cliponaxis=False,
            text=[_told(run)],
            hovertemplate="%{text}<extra></extra>",
        )
        for run, row in zip(runs, data.to_dict("records"), strict=True)
    ]
    return chart(
        traces,
        log_axis(min(data["p99_ms"].min(), deadline_ms), max(data["p99_ms"].max(), deadline_ms),
                 "99th percentile of latency, ms"),
        {"title": "part of one input that a cloud received", "tickformat": ".0%",
         "rangemode": "tozero"},
        shapes=[line_at(deadline_ms, "deadline", vertical=True)],
    )  # fmt: skip


def _told(run: Run) -> str:
    metrics = run.campaign.metrics
    return (
        f"<b>{run.label}</b><br>p99 {with_interval(metrics['p99_s'], 1e3)} ms<br>"
        f"one cloud received {percent(metrics['pixels_max_node'].mean)}, two together "
        f"{percent(metrics['pixels_max_pair'].mean)}<br>"
        f"{rounded(metrics['cost_usd'].mean * 1e3)} mUSD per request"
    )
