"""A sweep's cells along the axes that one chooses: a map over two, lines over one."""

from collections.abc import Sequence
from math import isfinite, isnan
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from experiments.reports.look import INK, RULE, chart, colour, line_at, log_axis
from experiments.reports.sections.pareto import front
from experiments.reports.sections.verdicts import WORDS
from experiments.reports.swept import ANY, Swept
from experiments.reports.values import (
    Answer,
    Cell,
    CellMap,
    Facts,
    Figure,
    Mark,
    Section,
    Table,
    View,
)
from experiments.reports.wording import NONE, percent, rounded
from experiments.sweeps.axes import POLICY
from experiments.verdict import CONFIDENCE, QUANTILE
from experiments.verdict import Answer as Judged

_DIGITS: Final = 5
_MOST_FRONT: Final = 300
_BEST: Final = 15
_DONE, _SATURATED, _FAILED, _UNDECIDED = range(4)


class Measure(NamedTuple):
    """A figure that every cell has: its column, how it is called, and by what it is scaled.

    Of what is ``timed`` there is no value without a steady state; ``more`` is better where that is
    so, less elsewhere.
    """

    column: str
    title: str
    unit: str
    scale: float
    timed: str = ""
    more: str = ""


_TIMED, _MORE = "timed", "more"
VERDICT: Final = Measure("holds", f"deadline holds at p{QUANTILE * 100:g}", "%", 100.0, "", _MORE)
_MEASURES: Final = (
    Measure("p99_s", "99th percentile, ms", "ms", 1e3, _TIMED),
    Measure("p50_s", "median, ms", "ms", 1e3, _TIMED),
    Measure("deadline_met", "deadline met, %", "%", 100.0, _TIMED, _MORE),
    Measure("pixels", "largest part that a cloud received, %", "%", 100.0),
    Measure("cost_usd", "cost, mUSD per request", "mUSD", 1e3),
    Measure("energy_j", "energy, J per request", "J", 1.0),
    Measure("bytes_up", "sent up, MB per request", "MB", 1e-6),
    Measure("bytes_down", "sent down, MB per request", "MB", 1e-6),
    Measure("throughput_per_s", "throughput, requests/s", "/s", 1.0, "", _MORE),
    Measure("tokens_per_s", "tokens/s of a request", "/s", 1.0, _TIMED, _MORE),
    Measure("first_token_s", "first token, ms", "ms", 1e3, _TIMED),
)


def answers(swept: Swept) -> tuple[Answer, ...]:
    """Return in how many cells the deadline holds, and of how many nobody can say."""
    cells = swept.cells
    done = cells[cells["error"] == ""]
    counts = done["verdict"].value_counts() if "verdict" in done else {}
    found = []
    for judged, mark in WORDS.items():
        if count := int(counts.get(judged.name.lower(), 0)):
            saturated = int(done["saturated"].sum()) if judged is Judged.MISSED else 0
            more = f", {saturated:,} of them without a steady state" if saturated else ""
            words = f"{percent(count / len(cells))} of {len(cells):,}{more}"
            found.append(Answer(mark, f"in {count:,} cells", words))
    if failed := len(cells) - len(done):
        first = str(cells.loc[cells["error"] != "", "error"].iloc[0])
        found.append(Answer(Mark("failed", "bad"), f"{failed:,} cells", f"for example: {first}"))
    return tuple(found)


def question(swept: Swept) -> str:
    """Return what the answers answer."""
    deadlines = swept.cells["deadline_s"].dropna().unique() if len(swept.cells) else []
    limit = f"{rounded(deadlines[0] * 1e3)} ms" if len(deadlines) == 1 else "their deadline"
    return (
        f"Where do {QUANTILE:.0%} of all requests end within {limit}? "
        f"Said of each cell with {CONFIDENCE:.0%} confidence."
    )


def section(swept: Swept) -> Section | None:
    """Return the map of all cells; nothing where they differ in nothing, or none is done."""
    cells = swept.cells
    if not swept.axes or not (cells["error"] == "").any():
        return None
    caption = (
        "Each field is one cell, or the mean of several where a filter is set to all. A field is "
        "left grey where any of its cells has no steady state, failed, or (of the verdict) had too "
        "few samples; pointing at it says which. Lines have 95 % intervals where each point is one "
        "cell. An axis that means nothing to a policy does not change it."
    )
    part = CellMap("cells", "Cells", caption, content(swept), _data(cells))
    return Section("cells", "Cells of the sweep", _missing(swept), (part,))


def _missing(swept: Swept) -> tuple[str, ...]:
    missing = swept.wanted - len(swept.cells)
    if not missing:
        return ()
    return (f"{missing:,} of {swept.wanted:,} cells are not simulated yet: go on by --resume.",)


def _data(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.drop(columns=["cell"])


def content(swept: Swept) -> dict[str, object]:
    """Return what the page draws from: places on axes, states, and measures with their bounds.

    ``places`` are indices of an axis's values, -1 for any. Numbers have `_DIGITS` digits.
    """
    cells = swept.cells.assign(
        holds=(swept.cells.get("verdict") == Judged.HOLDS.name.lower()).astype(float)
        if "verdict" in swept.cells
        else np.nan
    )
    axes = [
        {
            "name": name,
            "values": list(values),
            "places": [values.index(each) if each != ANY else -1 for each in cells[name]],
        }
        for name, values in swept.axes.items()
    ]
    known = [each for each in (VERDICT, *_MEASURES) if _known(cells, each)]
    return {
        "axes": axes,
        "policy": POLICY,
        "states": _states(cells),
        "undecided": _undecided(cells),
        "measures": [_measure(cells, each) for each in known],
        "layout": _layouts(swept),
    }


def _known(cells: pd.DataFrame, measure: Measure) -> bool:
    return measure.column in cells and bool(cells[measure.column].notna().any())


def _states(cells: pd.DataFrame) -> list[int]:
    failed = (cells["error"] != "").to_numpy()
    saturated = cells["saturated"].fillna(value=False).astype(bool).to_numpy()
    return [int(each) for each in np.where(failed, _FAILED, np.where(saturated, _SATURATED, _DONE))]


def _undecided(cells: pd.DataFrame) -> list[int]:
    if "verdict" not in cells:
        return []
    undecided = cells["verdict"] == Judged.UNDECIDED.name.lower()
    return [int(place) for place in np.flatnonzero(undecided)]


def _measure(cells: pd.DataFrame, measure: Measure) -> dict[str, object]:
    found: dict[str, object] = {
        "title": measure.title, "unit": measure.unit, "timed": bool(measure.timed),
        "less": not measure.more, "verdict": measure is VERDICT,
        "values": _numbers(cells[measure.column] * measure.scale),
    }  # fmt: skip
    if measure.timed and f"{measure.column}_low" in cells:
        for bound in ("low", "high"):
            found[bound] = _numbers(cells[f"{measure.column}_{bound}"] * measure.scale)
    return found


def _numbers(values: "pd.Series[Any]") -> list[float | None]:
    return [float(f"{each:.{_DIGITS}g}") if isfinite(each) else None for each in values]


def _layouts(swept: Swept) -> dict[str, object]:
    """Return the layout of a chart whose traces the page makes, and what it makes them with."""
    empty = chart([], {"type": "category"}, {"automargin": True})
    deadlines = swept.cells["deadline_s"].dropna().unique()
    limit = float(deadlines[0]) * 1e3 if len(deadlines) == 1 else None
    return {
        "plain": empty.to_plotly_json()["layout"],
        "colours": [colour(number) for number in range(8)],
        "deadline_ms": limit,
        "deadline": line_at(limit, "deadline", vertical=False) if limit else None,
    }


def best(swept: Swept) -> Section | None:
    """Return the Pareto front over all cells, and its fastest as a table."""
    cells = swept.cells
    steady = cells[(cells["error"] == "") & ~cells["saturated"].fillna(value=True).astype(bool)]
    steady = steady[steady["p99_s"].notna()]
    if len(steady) < 2:
        return None
    objectives = ["p99_s", "pixels", "cost_usd"]
    distinct = steady.drop_duplicates(objectives)
    chosen = distinct[front(distinct, objectives)].sort_values("p99_s").head(_MOST_FRONT)
    axes = list(swept.axes)
    caption = (
        "Each point is a cell than which no other is as good in latency, exposure and cost and "
        f"better in one: {len(chosen):,} of {len(steady):,} that have a steady state. Size: cost."
    )
    figure = Figure(
        "front", "Pareto front of all cells", caption, (View(_front_chart(chosen, axes)),),
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
    near = "" if isnan(half_ms) or not isfinite(half_ms) else f" ± {rounded(half_ms, 2)}"
    return f"{rounded(row['p99_s'] * 1e3)}{near}"


def _front_chart(chosen: pd.DataFrame, axes: Sequence[str]) -> go.Figure:
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
        hoverlabel={"bgcolor": "var(--paper)", "font": {"color": INK}},
    )  # fmt: skip


def asked(swept: Swept) -> Section:
    """Return what was swept."""
    document = swept.document
    several = f"{len(swept.axes):,} axes"
    pairs = (
        ("model", document.workload.model),
        ("topology", document.topology),
        ("requests", f"{document.workload.requests:,} per replication and origin"),
        ("replications", f"{document.replications} of each cell"),
        ("seed", str(document.seed)),
        ("cells", f"{len(swept.cells):,} of {swept.wanted:,}, along {several}"),
        *((name, ", ".join(values)) for name, values in swept.axes.items()),
    )
    return Section("asked", "What was asked", (), (Facts(pairs),))
