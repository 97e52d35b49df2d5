"""What a search tried, how good each was, and which is best of those allowed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from experiments.reports.look import INK, LEGEND, chart, colour
from experiments.reports.measured import Measured
from experiments.reports.values import Answer, Cell, Figure, Mark, Section, Table, View
from experiments.reports.wording import NONE, percent, rounded

Row = Mapping[str, Any]
_BEST: Final = 15
_TRIAL: Final = "trial"


def question(measured: Measured) -> str:
    """Return what the answers answer."""
    found = measured.found
    most = "greatest" if found["greatest"] else "least"
    limits = f", subject to {' and '.join(found['limits'])}" if found["limits"] else ""
    return f"Which parameters give the {most} {found['goal']}{limits}?"


def answers(measured: Measured) -> tuple[Answer, ...]:
    """Return the best, and how it did on arrivals that it was not chosen on."""
    best, unseen = measured.found["best"], measured.found["unseen"]
    trials = measured.found["trials"]
    allowed = sum(bool(row["allowed"]) for row in trials)
    tried = f"{len(trials)} different cells tried, {allowed} of them allowed"
    if best is None:
        return (Answer(Mark("none", "bad"), "None keeps all limits", tried),)
    goal = measured.found["goal"]
    found = [Answer(Mark("best", "good"), str(best["policy"]), f"{_figure(best, goal)}; {tried}")]
    if unseen is not None:
        said = _figure(unseen, goal)
        found.append(Answer(Mark("again", "unsure"), "The same on other arrivals", said))
    return tuple(found)


def section(measured: Measured) -> Section | None:
    """Return how the search went, along trials and along each axis, and its best cells."""
    goal, axes = measured.found["goal"], measured.found["axes"]
    trials = pd.DataFrame(measured.found["trials"])
    if goal not in trials:
        return None
    trials[_TRIAL] = range(1, len(trials) + 1)
    done = trials[trials[goal].notna()]
    if done.empty:
        return None
    greatest = bool(measured.found["greatest"])
    along = [_TRIAL, *(name for name in axes if done[name].nunique() > 1)]
    views = tuple(
        View(_chart(done, goal, name, greatest=greatest), (("along", name),)) for name in along
    )
    caption = f"{goal} of each cell. Filled: keeps all limits. The line: the best so far."
    data = done[[_TRIAL, *axes, goal, "allowed"]]
    figure = Figure("search", "How the search went", caption, views, data, 420)
    ranked = done[done["allowed"]].sort_values(goal, ascending=not greatest, kind="stable")
    columns = (*axes, goal, "p99 ms", "deadline met", "pixels", "mUSD")
    rows = tuple(_cells(row, axes, goal) for row in ranked.head(_BEST).to_dict("records"))
    parts = (figure, Table(f"The best {len(rows)}", columns, rows, words=tuple(axes)))
    return Section("search", "What was tried", (), parts if rows else (figure,))


def _figure(row: Row, goal: str) -> str:
    if row["error"] or row.get(goal) is None:
        return str(row["error"] or "no steady state")
    low, high = row.get(f"{goal}_low"), row.get(f"{goal}_high")
    ends = f" ({rounded(low, 4)} to {rounded(high, 4)})" if low is not None and high else ""
    return f"{goal} {rounded(row[goal], 4)}{ends}"


def _cells(row: Mapping[Any, Any], axes: Sequence[str], goal: str) -> tuple[Cell, ...]:
    return (
        *(str(row[name]) or NONE for name in axes),
        rounded(row[goal], 4),
        rounded(row["p99_s"] * 1e3),
        percent(row["deadline_met"]),
        percent(row["pixels"]),
        rounded(row["cost_usd"] * 1e3),
    )


def _chart(done: pd.DataFrame, goal: str, along: str, *, greatest: bool) -> go.Figure:
    allowed = done["allowed"].astype(bool)
    traces: list[Any] = [
        go.Scatter(
            x=rows[along],
            y=rows[goal],
            mode="markers",
            name=name,
            marker={"size": 9, "color": colour(0), "symbol": sign, "line": {"width": 1.5}},
            text=rows["policy"],
            hovertemplate="%{text}<br>%{y:.4g}<extra>%{fullData.name}</extra>",
        )
        for name, rows, sign in (
            ("allowed", done[allowed], "circle"),
            ("breaks a limit", done[~allowed], "circle-open"),
        )
    ]
    if along == _TRIAL and allowed.any():
        best = done[allowed][goal].cummax() if greatest else done[allowed][goal].cummin()
        line = {"color": INK, "width": 1, "shape": "hv"}
        x = done.loc[best.index, _TRIAL]
        traces.append(go.Scatter(x=x, y=best, mode="lines", name="best so far", line=line,
                                 hoverinfo="skip"))  # fmt: skip
    numbers = pd.to_numeric(done[along], errors="coerce").notna().all()
    kind = {} if numbers else {"type": "category"}
    return chart(
        traces,
        {"title": along, **kind},
        {"title": goal},
        showlegend=True,
        legend=LEGEND,
    )
