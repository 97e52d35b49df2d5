"""Policies compared on the same requests: what is faster, and what is chance."""

from collections.abc import Sequence
from math import isfinite, isnan
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from experiments.comparison import LEVEL, Comparison, Difference, compare
from experiments.reports.kept import Run
from experiments.reports.look import SOFT, chart, colour, line_at
from experiments.reports.sections.spending import wrapped
from experiments.reports.values import Cell, Figure, Section, Table, View
from experiments.reports.wording import NONE

_METRICS: Final = {
    "median": ("p50_s", 1e3, "ms", 0),
    "99th percentile": ("p99_s", 1e3, "ms", 0),
    "deadline met": ("deadline_met", 100.0, "points", 1),
}
"""What is compared: a key of a comparison's differences, by what it is scaled, unit, digits."""


def section(runs: Sequence[Run]) -> Section | None:
    """Compare every other run with the first; nothing of one policy, or of one replication."""
    if len(runs) < 2 or len(runs[0].campaign.replications) < 2:
        return None
    comparisons = compare([run.campaign for run in runs])
    shown = [(run, each) for run, each in zip(runs[1:], comparisons, strict=True)]
    title = f"Difference from {runs[0].label}"
    table = Table(
        title,
        ("policy", *(f"{name}, {unit}" for name, (_, _, unit, _) in _METRICS.items()), "verdict"),
        tuple(_cells(each) for each in comparisons),
        words=("policy", "verdict"),
        caption=f"* differs at {LEVEL:.0%}, all these comparisons taken together (Holm).",
    )
    drawn = [(run, each) for run, each in shown if each.differences]
    prose = (
        "All policies met the same requests, so differences are taken within each replication: "
        "below nought is less than under the first policy."
    )
    parts = (_figure(title, drawn), table) if drawn else (table,)
    return Section("comparison", "Policies compared", (prose,), parts)


def _cells(comparison: Comparison) -> tuple[Cell, ...]:
    found = comparison.differences
    figures = [
        _told(found[key], scale, digits) if found else NONE
        for key, scale, _, digits in _METRICS.values()
    ]
    return (comparison.policy, *figures, comparison.verdict)


def _told(difference: Difference, scale: float, digits: int) -> str:
    value = difference.estimate
    if isnan(value.mean):
        return NONE
    margin = f" ± {value.half_width * scale:.{digits}f}" if isfinite(value.half_width) else ""
    mean = f"{value.mean * scale:+.{digits}f}".replace("-", "−")
    return f"{mean}{margin}{'*' if difference.shown else ''}"


def _figure(title: str, drawn: Sequence[tuple[Run, Comparison]]) -> Figure:
    views = tuple(
        View(_chart(drawn, key, scale, unit), (("figure", name),))
        for name, (key, scale, unit, _) in _METRICS.items()
    )
    rows = [
        (each.policy, each.reference, name, found.estimate.mean * scale,
         found.estimate.low * scale, found.estimate.high * scale, unit, found.p)
        for _, each in drawn
        for name, (key, scale, unit, _) in _METRICS.items()
        for found in (each.differences[key],)
    ]  # fmt: skip
    columns = ["policy", "reference", "figure", "difference", "low", "high", "unit", "p_holm"]
    caption = (
        "Means of paired differences with 95 % intervals (Student's t over replications). Pale: "
        "no difference shown, all comparisons taken together."
    )
    height_px = 110 + 60 * len(drawn)
    return Figure(
        "differences", title, caption, views, pd.DataFrame(rows, columns=columns), height_px
    )


def _chart(drawn: Sequence[tuple[Run, Comparison]], key: str, scale: float, unit: str) -> go.Figure:
    traces = []
    for run, each in drawn:
        found = each.differences[key]
        half = found.estimate.half_width * scale
        traces.append(
            go.Scatter(
                x=[found.estimate.mean * scale],
                y=[run.label],
                mode="markers",
                marker={"color": colour(run.number) if found.shown else SOFT, "size": 10},
                error_x={"type": "data", "array": [half], "thickness": 1.5, "width": 6},
                meta={"run": run.label},
                hovertemplate=f"%{{x:+.3g}} ± {half:.2g} {unit}<extra>{run.label}</extra>",
            )
        )
    labels = [run.label for run, _ in drawn]
    return chart(
        traces,
        {"title": f"difference, {unit}"},
        {"autorange": "reversed", **wrapped(labels)},
        shapes=[line_at(0.0, "", vertical=True)],
    )
