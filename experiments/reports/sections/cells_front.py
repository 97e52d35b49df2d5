"""The cells of a sweep that no other beats in latency, exposure and cost at once."""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from experiments.reports.look import RULE, chart, colour, log_axis
from experiments.reports.sections.pareto import front
from experiments.reports.swept import Swept
from experiments.reports.values import Cell, Figure, Section, Table, View
from experiments.reports.wording import NONE, percent, rounded
from experiments.sweeps.axes import POLICY

_MOST_FRONT: Final = 300
_BEST: Final = 15


def section(swept: Swept) -> Section | None:
    """Return the Pareto front over all cells, and its fastest as a table."""
    cells = swept.cells
    steady = cells[(cells["error"] == "") & ~cells["saturated"].fillna(value=True).astype(bool)]
    steady = steady[steady["p99_s"].notna()]
    if len(steady) < 2:
        return None
    objectives = ["p99_s", "pixels", "cost_usd"]
    distinct = steady.drop_duplicates(objectives)
    chosen = distinct[front(distinct, objectives)].sort_values("p99_s").head(_MOST_FRONT)
    axes = sorted(swept.axes, key=lambda name: name != POLICY)
    caption = (
        "Each point is a cell than which no other is as good in latency, exposure and cost and "
        f"better in one: {len(chosen):,} of {len(steady):,} that have a steady state. Size: cost."
    )
    figure = Figure(
        "front", "Pareto front of all cells", caption, (View(_chart(chosen, axes)),),
        chosen[[*axes, *objectives, "p50_s", "deadline_met"]], 420,
    )  # fmt: skip
    columns = (*axes, "p99 ms", "median ms", "deadline met", "pixels", "mUSD")
    rows = tuple(_row(row, axes) for row in chosen.head(_BEST).to_dict("records"))
    table = Table(f"The {len(rows)} fastest of the front", columns, rows, words=tuple(axes))
    return Section("front", "Latency, exposure and cost", (), (figure, table))


def _row(row: dict[Any, Any], axes: Sequence[str]) -> tuple[Cell, ...]:
    return (
        *(str(row[name]) or NONE for name in axes),
        _with_margin(row),
        rounded(row["p50_s"] * 1e3),
        percent(row["deadline_met"]),
        percent(row["pixels"]),
        rounded(row["cost_usd"] * 1e3),
    )


def _with_margin(row: dict[Any, Any]) -> str:
    half_ms = (row["p99_s_high"] - row["p99_s_low"]) / 2 * 1e3
    near = "" if not isfinite(half_ms) else f" ± {rounded(half_ms, 2)}"
    return f"{rounded(row['p99_s'] * 1e3)}{near}"


def _chart(chosen: pd.DataFrame, axes: Sequence[str]) -> go.Figure:
    dearest = max(float(chosen["cost_usd"].max()), 1e-12)
    told = [
        "<br>".join(f"{name} {row[name] or NONE}" for name in axes)
        + f"<br>p99 {_with_margin(row)} ms, one cloud received {percent(row['pixels'])}, "
        f"{rounded(row['cost_usd'] * 1e3)} mUSD"
        for row in chosen.to_dict("records")
    ]
    points = go.Scatter(
        x=chosen["p99_s"] * 1e3,
        y=chosen["pixels"],
        mode="markers",
        marker={
            "size": 8 + 22 * (chosen["cost_usd"] / dearest) ** 0.5,
            "color": colour(0), "opacity": 0.75, "line": {"width": 1, "color": RULE},
        },
        text=told,
        hovertemplate="%{text}<extra></extra>",
        cliponaxis=False,
    )  # fmt: skip
    return chart(
        [points],
        log_axis(chosen["p99_s"].min() * 1e3, chosen["p99_s"].max() * 1e3,
                 "99th percentile of latency, ms"),
        {"title": "part of one input that a cloud received", "tickformat": ".0%",
         "rangemode": "tozero"},
    )  # fmt: skip
