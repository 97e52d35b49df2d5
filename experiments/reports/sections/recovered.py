"""Which tokens and secrets the cloud in the middle of a language model recovers."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from experiments.reports.look import LEGEND, chart, place_colour
from experiments.reports.measured import Measured
from experiments.reports.sections.spending import wrapped
from experiments.reports.values import Answer, Cell, Figure, Mark, Section, Table, View
from experiments.reports.wording import NONE, percent

Row = Mapping[str, Any]


def question(measured: Measured) -> str:
    """Return what the answers answer."""
    del measured
    return "How much of prompts and answers does the cloud in the middle recover?"


def answers(measured: Measured) -> tuple[Answer, ...]:
    """Return the best attack on each side of each policy."""
    best: dict[tuple[str, str], Row] = {}
    for row in measured.found["recovered"]:
        key = row["policy"], row["side"]
        if key not in best or row["tokens"] > best[key]["tokens"]:
            best[key] = row
    return tuple(
        Answer(
            Mark(percent(row["tokens"]), "bad" if row["exact"] else "unsure"),
            policy,
            f"of the tokens of the {side}, by {row['attack']}; {row['exact']} of {row['texts']} "
            f"texts word for word (below {percent(row['below'])})",
        )
        for (policy, side), row in best.items()
    )


def section(measured: Measured) -> Section:
    """Return the table, and all attacks beside each other."""
    rows: Sequence[Row] = measured.found["recovered"]
    caption = (
        "Of the input the prompt, of the output what was answered; exact: whole texts, with the "
        "one-sided upper bound (Clopper and Pearson, 95 %); secrets: word for word."
    )
    if measured.found["drawn"]:
        caption += " Weights are drawn by seed, so the output makes no sense to anybody."
    columns = ("policy", "attack", "of", "tokens", "ROUGE-L", "exact", "below", "secrets")
    words = ("policy", "attack", "of")
    table = Table("", columns, tuple(map(_cells, rows)), caption, words)
    sides = list(dict.fromkeys(row["side"] for row in rows))
    views = tuple(View(_chart(rows, side), (("of", side),)) for side in sides)
    told = "The part of the tokens that each attack puts in their places."
    height_px = 130 + 60 * len({row["policy"] for row in rows})
    figure = Figure("recovered", "Tokens recovered", told, views, pd.DataFrame(rows), height_px)
    return Section("recovered", "Tokens recovered", (), (figure, table))


def _cells(row: Row) -> tuple[Cell, ...]:
    secrets = row["secrets"]
    return (
        row["policy"], row["attack"], row["side"], percent(row["tokens"]),
        f"{row['rouge_l']:.3f}", f"{row['exact']} of {row['texts']}", percent(row["below"]),
        NONE if secrets is None else percent(secrets),
    )  # fmt: skip


def _chart(rows: Sequence[Row], side: str) -> go.Figure:
    of_side = [row for row in rows if row["side"] == side]
    policies = list(dict.fromkeys(row["policy"] for row in of_side))
    traces = [
        go.Bar(
            x=[row["tokens"] * 100 for row in of_side if row["attack"] == attack],
            y=[row["policy"] for row in of_side if row["attack"] == attack],
            orientation="h",
            name=attack,
            marker={"color": place_colour(number)},
            hovertemplate="%{x:.1f} %<extra>%{fullData.name}</extra>",
        )
        for number, attack in enumerate(dict.fromkeys(row["attack"] for row in of_side))
    ]
    return chart(
        traces,
        {"title": "tokens recovered, %", "range": (0, 100)},
        {"autorange": "reversed", **wrapped(policies)},
        barmode="group",
        showlegend=True,
        legend=LEGEND,
    )
