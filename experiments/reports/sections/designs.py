"""Designs side by side: accuracy kept, attacks, latency, and which of them meet all limits."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from experiments.reports.look import chart, colour, line_at, symbol, wide_axis
from experiments.reports.measured import Measured
from experiments.reports.values import Answer, Cell, Figure, Key, Mark, Section, Table, View
from experiments.reports.wording import percent, rounded

Row = Mapping[str, Any]
_LIMITS: Final = ("accuracy", "attack", "latency")


def question(measured: Measured) -> str:
    """Return what the answers answer."""
    limits = measured.found["limits"]
    return (
        f"Which designs keep at least {percent(limits['kept'])} of the accuracy, let attacks "
        f"succeed in fewer than {percent(limits['attacked'])}, and end 99 % of requests within "
        f"{rounded(limits['deadline_s'] * 1e3)} ms?"
    )


def answers(measured: Measured) -> tuple[Answer, ...]:
    """Return a line for each design, and for each that there is none of."""
    found = [Answer(_mark(row), row["policy"], _said(row)) for row in measured.found["rows"]]
    refused = measured.found["refused"].items()
    return (*found, *(Answer(Mark("refused", "unsure"), name, why) for name, why in refused))


def keys(measured: Measured) -> tuple[Key, ...]:
    """Return the colour of each design."""
    rows = enumerate(measured.found["rows"])
    return tuple(Key(row["policy"], colour(number)) for number, row in rows)


def section(measured: Measured) -> Section | None:
    """Return the table and what it looks like."""
    rows: Sequence[Row] = measured.found["rows"]
    if not rows:
        return None
    limits = measured.found["limits"]
    caption = (
        "Kept: accuracy over the unsplit model's, 95 % interval. Identified: by the best attack "
        "on the worst cloud, below: its one-sided upper bound (Clopper and Pearson, 95 %). Limits "
        "are judged by the near bound. At least: of the first clouds, one of which misses the "
        "limit; no others were tried. Latency, traffic and cost are simulated, per request."
    )
    columns = ("policy", "kept", "95 %", "identified", "below", "by", "shown", "p50 ms", "p99 ms",
               "up MB", "down MB", "mUSD", "Pareto front")  # fmt: skip
    table = Table("", columns, tuple(map(_cells, rows)), caption, ("policy", "by", "Pareto front"))
    views = tuple(
        View(_chart(rows, limits, against), (("against", against),))
        for against in ("latency", "accuracy")
    )
    told = (
        "Further down attackers succeed less, by the upper bound of their rate (at least: of the "
        "first ones'). Dotted: the limits. Filled: meets all three."
    )
    figure = Figure("designs", "Privacy, latency, accuracy", told, views, _data(rows), 440)
    return Section("designs", "Designs", (), (figure, table))


def _mark(row: Row) -> Mark:
    missed = [name for name, met in zip(_LIMITS, row["meets"], strict=True) if not met]
    return Mark(f"misses {', '.join(missed)}", "bad") if missed else Mark("meets all", "good")


def _said(row: Row) -> str:
    kept, below = row["kept"], row["identified"]["rate"]["below"]
    sure = "" if row["at_least"] else f" (below {percent(below, 2)})"
    return (
        f"{percent(kept['value'], 2)} kept ({percent(kept['low'], 2)} or more), "
        f"{_identified(row)} identified{sure}, p99 {_ms(row)} ms"
    )


def _rate(row: Row) -> float:
    rate = row["identified"]["rate"]
    return float(rate["successes"] / rate["trials"])


def _identified(row: Row) -> str:
    return f"{'at least ' if row['at_least'] else ''}{percent(_rate(row), 2)}"


def _ms(row: Row) -> str:
    """Return the 99th percentile; there is none without a steady state."""
    return "∞" if row["p99_s"] is None else rounded(row["p99_s"] * 1e3)


def _cells(row: Row) -> tuple[Cell, ...]:
    kept, identified = row["kept"], row["identified"]
    median = row["p50_s"]
    return (
        row["policy"], percent(kept["value"], 2),
        f"{percent(kept['low'], 2)} to {percent(kept['high'], 2)}",
        _identified(row), "-" if row["at_least"] else percent(identified["rate"]["below"], 2),
        f"{identified['attack']}, {identified['who']}", percent(row["pixels"]),
        "∞" if median is None else rounded(median * 1e3), _ms(row),
        rounded(row["bytes_up"] / 1e6), rounded(row["bytes_down"] / 1e6),
        rounded(row["cost_usd"] * 1e3), "yes" if row["front"] else "no",
    )  # fmt: skip


def _data(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "policy": row["policy"],
            "kept": row["kept"]["value"],
            "kept_low": row["kept"]["low"],
            "kept_high": row["kept"]["high"],
            "identified": _rate(row),
            "identified_below": row["identified"]["rate"]["below"],
            "at_least": row["at_least"],
            "attack": row["identified"]["attack"],
            "who": row["identified"]["who"],
            **{name: row[name] for name in ("pixels", "p50_s", "p99_s", "bytes_up", "bytes_down",
                                            "cost_usd", "front")},
        }
        for row in rows
    )  # fmt: skip


def _place(row: Row, against: str) -> float | None:
    """Return where a design stands, in milliseconds or per cent; nowhere without a steady state."""
    if against == "accuracy":
        return float(row["kept"]["value"] * 100)
    return None if row["p99_s"] is None else float(row["p99_s"] * 1e3)


def _point(number: int, row: Row, place: float) -> go.Scatter:
    return go.Scatter(
        x=[place],
        y=[row["identified"]["rate"]["below"] * 100],
        mode="markers",
        name=row["policy"],
        marker={
            "size": 14,
            "symbol": symbol(number) + ("" if all(row["meets"]) else "-open"),
            "color": colour(number),
            "line": {"width": 2, "color": colour(number)},
        },
        meta={"run": row["policy"]},
        cliponaxis=False,
        text=[f"<b>{row['policy']}</b><br>{_said(row)}"],
        hovertemplate="%{text}<extra></extra>",
    )


def _chart(rows: Sequence[Row], limits: Mapping[str, float], against: str) -> go.Figure:
    drawn = ((number, row, _place(row, against)) for number, row in enumerate(rows))
    shown = [(number, row, place) for number, row, place in drawn if place is not None]
    traces = [_point(*each) for each in shown]
    limit = {"latency": limits["deadline_s"] * 1e3, "accuracy": limits["kept"] * 100}[against]
    ends = [place for _, _, place in shown] + [limit]
    rates = [row["identified"]["rate"]["below"] * 100 for row in rows]
    attacked = limits["attacked"] * 100
    along = {
        "latency": wide_axis(min(ends), max(ends), "99th percentile of latency, ms"),
        "accuracy": {"title": "accuracy kept, %", "autorange": "reversed"},
    }
    return chart(
        traces,
        along[against],
        wide_axis(min(*rates, attacked), max(*rates, attacked), "identified, upper bound, %"),
        shapes=[line_at(limit, "limit", vertical=True), line_at(attacked, "limit", vertical=False)],
    )
