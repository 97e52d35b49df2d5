"""Simulated against real: what is left between them, by kind of step and from end to end."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from experiments.reports.fidelity import FidelityKept
from experiments.reports.look import SOFT, chart, colour, line_at
from experiments.reports.sections.spending import wrapped
from experiments.reports.values import Answer, Cell, Figure, Mark, Section, Table, View
from experiments.reports.wording import NONE, percent

_WORLDS: Final = {"simulated": "simulated against real", "again": "real against real again"}
_LEVELS: Final = np.linspace(0.0, 1.0, 201)
_SHOWN: Final = (0.02, 0.98)
"""Quantiles of the errors between which the horizontal axis reaches."""


def question(compared: FidelityKept) -> str:
    """Return what the answers answer."""
    allowed = compared.errors["tolerance"]
    return (
        f"Is the simulator within {allowed['steps']:.0%} per kind of step and "
        f"{allowed['p50']:.0%} of the median latency, on cuts that it has not seen?"
    )


def answers(compared: FidelityKept) -> tuple[Answer, ...]:
    """Return the verdict as it was given, with each figure outside tolerance."""
    missed, trained = compared.errors["missed"], ", ".join(compared.errors["trained"])
    if not missed:
        mark = Mark("within tolerance", "good")
        return (Answer(mark, "all figures", f"fitted to {trained}, and frozen"),)
    mark = Mark("outside tolerance", "bad")
    return tuple(Answer(mark, *_halves(line)) for line in missed)


def _halves(line: str) -> tuple[str, str]:
    subject, _, rest = line.rpartition(": ")
    return (subject, rest) if subject else (rest, "")


def steps(compared: FidelityKept) -> Section:
    """Return errors per kind of step and stage, and how those of single steps are distributed."""
    (together,) = (each for each in compared.errors["tested"] if each["policy"] == "all")
    figure = _figure(compared)
    columns = ("step", "stage", "steps", "duration", "bias", "moment", "single",
               "real: duration", "moment ", "single ")  # fmt: skip
    caption = (
        "Median magnitudes of relative errors. Duration, moment: of a step's median over requests, "
        "how long it took and when it ended (relative to latency); bias: with its sign; single: of "
        "steps by themselves, chance included. On the right: of one real run against another."
    )
    table = Table("", columns, tuple(_rows(together)), caption, ("step", "stage"))
    return Section("residuals", "Residuals per kind of step", (), (figure, table))


def _rows(together: Mapping[str, Any]) -> list[tuple[Cell, ...]]:
    spread = {
        (row["kind"], row["stage"]): row
        for part in ("kinds", "stages")
        for row in together["real_against_real"][part]
    }
    return [
        (row["kind"], row["stage"] or "all", f"{row['steps']:,}",
         *(_share(row[name]) for name in ("duration", "bias", "moment", "single")),
         *(_share(spread.get((row["kind"], row["stage"]), {}).get(name))
           for name in ("duration", "moment", "single")))
        for part in ("kinds", "stages")
        for row in together["errors"][part]
    ]  # fmt: skip


def _share(value: float | None) -> str:
    return NONE if value is None else percent(value)


def _figure(compared: FidelityKept) -> Figure:
    found = {
        "simulated": compared.residuals(compared.simulated),
        "again": compared.residuals(compared.again),
    }
    data = pd.concat(
        [_quantiles(rows, name, kind) for name, rows in found.items() for kind in _kinds(rows)],
        ignore_index=True,
    )
    views = tuple(
        View(_chart(data[data["step"] == kind]), (("step", kind),))
        for kind in dict.fromkeys(data["step"])
    )
    caption = (
        "How much longer single steps took than in the first real run, relative to that, as the "
        "part of all steps below an error. A steep curve at nought is a simulator that is right; "
        "it cannot be steeper than the grey one, of a second real run."
    )
    return Figure("residuals", "Errors of single steps", caption, views, data)


def _kinds(rows: pd.DataFrame) -> list[str]:
    return sorted({*rows["kind"], *(rows["kind"] + ": " + rows["stage"])})


def _quantiles(rows: pd.DataFrame, name: str, kind: str) -> pd.DataFrame:
    word, _, stage = kind.partition(": ")
    chosen = rows[(rows["kind"] == word) & ((rows["stage"] == stage) | (stage == ""))]
    error = np.quantile(chosen["duration"], _LEVELS)
    return pd.DataFrame(
        {"step": kind, "compared": _WORLDS[name], "fraction": _LEVELS, "error": error}
    )


def _chart(rows: pd.DataFrame) -> go.Figure:
    shades = dict(zip(_WORLDS.values(), (colour(0), SOFT), strict=True))
    traces = [
        go.Scatter(
            x=each["error"], y=each["fraction"], mode="lines", name=str(name),
            line={"color": shades[str(name)], "width": 2},
            hovertemplate="%{y:.0%} of the steps below %{x:+.1%}<extra>%{fullData.name}</extra>",
        )
        for name, each in rows.groupby("compared", sort=False)
    ]  # fmt: skip
    low, high = np.quantile(rows["error"], _SHOWN)
    widest = max(abs(low), abs(high), 0.01)
    return chart(
        traces,
        {"title": "relative error of a step's duration", "tickformat": "+.0%",
         "range": (-widest, widest)},
        {"title": "part of the steps", "tickformat": ".0%"},
        shapes=[line_at(0.0, "", vertical=True)],
        showlegend=True,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )  # fmt: skip


def latency(compared: FidelityKept) -> Section:
    """Return the errors of latency's quantiles, policy by policy."""
    tested = [each for each in compared.errors["tested"] if each["policy"] != "all"]
    rows = [row for each in tested for row in _latency_rows(each)]
    columns = ("policy", "quantile", "simulated ms", "real ms", "error", "95 % interval",
               "real against real")  # fmt: skip
    table = Table(
        "", columns, tuple(rows),
        "Relative errors of quantiles with bootstrap intervals over requests.",
        ("policy", "quantile"),
    )  # fmt: skip
    data = pd.DataFrame(
        [
            {"policy": each["policy"], **row}
            for each in tested
            for row in each["errors"]["latencies"]
        ]
    )
    parts = (_errors_figure(data), table) if len(data) else (table,)
    return Section("errors", "Errors from end to end", (), parts)


def _latency_rows(tested: Mapping[str, Any]) -> list[tuple[Cell, ...]]:
    again = {row["quantile"]: row["error"] for row in tested["real_against_real"]["latencies"]}
    return [
        (tested["policy"], row["quantile"], f"{row['simulated_s'] * 1e3:.1f}",
         f"{row['real_s'] * 1e3:.1f}", _signed(row["error"]),
         f"{_signed(row['low'])} to {_signed(row['high'])}", _signed(again.get(row["quantile"])))
        for row in tested["errors"]["latencies"]
    ]  # fmt: skip


def _signed(value: float | None) -> str:
    return NONE if value is None else f"{value * 100:+.1f} %"


def _errors_figure(data: pd.DataFrame) -> Figure:
    policies = list(dict.fromkeys(data["policy"]))
    traces = [
        go.Scatter(
            x=rows["error"], y=rows["policy"], mode="markers", name=str(quantile),
            marker={"color": colour(number), "size": 9, "symbol": number},
            error_x={"type": "data", "symmetric": False, "array": rows["high"] - rows["error"],
                     "arrayminus": rows["error"] - rows["low"], "thickness": 1.5, "width": 5},
            hovertemplate="%{x:+.1%} at %{fullData.name}<extra>%{y}</extra>",
        )
        for number, (quantile, rows) in enumerate(data.groupby("quantile", sort=False))
    ]  # fmt: skip
    drawn = chart(
        traces,
        {"title": "relative error of the simulated latency", "tickformat": "+.0%"},
        {"autorange": "reversed", **wrapped(policies)},
        scattermode="group",
        shapes=[line_at(0.0, "", vertical=True)],
        showlegend=True,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )
    caption = (
        "Quantiles of simulated latency over those of the first real run, less one, with 95 % "
        "bootstrap intervals over requests."
    )
    return Figure(
        "errors", "Errors of latency", caption, (View(drawn),), data, 130 + 70 * len(policies)
    )
