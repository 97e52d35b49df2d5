"""Where time goes: the steps on the critical path, by where they ran and what they were."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from experiments.breakdown import mean_and_tail
from experiments.reports.kept import Run
from experiments.reports.look import PAPER, chart, place_colour
from experiments.reports.values import Figure, Section, View
from experiments.statistics.estimates import quantile_of
from experiments.verdict import QUANTILE

_WAITING: Final = ", waiting"
_OF: Final = {"mean": "all", "slowest": f"the slowest {1 - QUANTILE:.0%}"}


def section(runs: Sequence[Run]) -> Section | None:
    """Return the times of all runs whose requests took any."""
    spent = {run.label: _spent_ms(run) for run in runs if not run.spent.empty}
    if not spent:
        return None
    data = pd.concat(
        [table.assign(policy=label) for label, table in spent.items()], ignore_index=True
    )[["policy", "step", "place", "mean_ms", "slowest_ms"]]
    places = list(dict.fromkeys(data.sort_values("mean_ms", ascending=False)["place"]))
    views = tuple(
        View(_chart(list(spent), data, places, f"{kind}_ms"), (("requests", name),))
        for kind, name in _OF.items()
    )
    caption = (
        "Mean time per request on the critical path: of steps that ran side by side, only the one "
        "that the next had to wait for. The parts of a bar add up to the mean latency of the "
        "requests it is of. Each step by itself stands in the data."
    )
    height_px = 130 + 62 * len(spent)
    figure = Figure("spending", "Where time goes", caption, views, data, height_px)
    return Section("spending", "Where time goes", (), (figure,))


def _spent_ms(run: Run) -> pd.DataFrame:
    """Return a row per step: its place, and milliseconds in the mean and in the slowest."""
    ended_s = run.latencies_s[np.isfinite(run.latencies_s)]
    tail_s = quantile_of(ended_s, QUANTILE)
    table = mean_and_tail(run.spent, tail_s) * 1e3
    return pd.DataFrame(
        {
            "step": table.index,
            "place": [_place(str(step)) for step in table.index],
            "mean_ms": table["mean"].to_numpy(),
            "slowest_ms": table["slowest"].to_numpy(),
        }
    )


def _place(step: str) -> str:
    """Return where a step of `experiments.breakdown` was, and whether it waited there.

    >>> _place("edge: sam.merge, waiting"), _place("edge to cloud: pixels")
    ('waiting for edge', 'edge to cloud')
    """
    where = step.partition(": ")[0]
    return f"waiting for {where}" if step.endswith(_WAITING) else where


def _chart(
    labels: Sequence[str], data: pd.DataFrame, places: Sequence[str], column: str
) -> go.Figure:
    summed = data.groupby(["policy", "place"])[column].sum()
    bars = [
        go.Bar(
            x=[summed[label, place]],
            y=[label],
            orientation="h",
            name=place,
            showlegend=False,
            marker=_fill(place, places),
            meta={"run": label},
            hovertemplate="%{x:.1f} ms<extra>" + place + "</extra>",
        )
        for place in places
        for label in labels
        if (label, place) in summed.index
    ]
    keys = [
        go.Bar(x=[None], y=[None], orientation="h", name=place, marker=_fill(place, places))
        for place in places
    ]
    return chart(
        [*keys, *bars],
        {"title": "ms on the critical path"},
        {"autorange": "reversed", **wrapped(labels)},
        barmode="stack",
        bargap=0.35,
        showlegend=True,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "itemclick": False,
                "itemdoubleclick": False, "traceorder": "normal"},
    )  # fmt: skip


def _fill(place: str, places: Sequence[str]) -> dict[str, object]:
    """Return a place's colour; what waits for a place has its colour, striped."""
    where = place.removeprefix("waiting for ")
    known = list(dict.fromkeys(each.removeprefix("waiting for ") for each in places))
    shade = place_colour(known.index(where))
    if where == place:
        return {"color": shade}
    return {"color": shade, "pattern": {"shape": "/", "fillmode": "overlay", "fgcolor": PAPER,
                                       "fgopacity": 0.75, "size": 6, "solidity": 0.5}}  # fmt: skip


def wrapped(labels: Sequence[str]) -> dict[str, object]:
    """Return an axis's ticks at ``labels``, long ones over several lines."""
    texts = [label.replace(":", ":<br>").replace(",", ",<br>") for label in labels]
    return {"type": "category", "tickmode": "array", "tickvals": list(labels), "ticktext": texts}
