"""How charts look: nothing but data and hairlines, in colours that the page's style sheet names.

A colour is a CSS variable here, such as ``var(--series-1)``; the page puts in what it stands for,
in light and in dark mode alike.
"""

from collections.abc import Iterable, Mapping
from math import ceil, floor, log10
from typing import Any, Final

import plotly.graph_objects as go

SERIES: Final = 8
DASHES: Final = ("solid", "dash", "dot", "dashdot")
SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up", "cross", "x")
INK, SOFT, RULE, PAPER = "var(--ink)", "var(--soft)", "var(--rule)", "var(--paper)"
LOW, MIDDLE, HIGH = "var(--low)", "var(--middle)", "var(--high)"
SCALE: Final = ((0.0, LOW), (0.5, MIDDLE), (1.0, HIGH))

LEGEND: Final[Mapping[str, Any]] = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}
"""Above a chart, where an axis's title has no place."""

_WIDE: Final = 5.0

_AXIS: Final[Mapping[str, Any]] = {
    "gridcolor": RULE, "linecolor": RULE, "zerolinecolor": RULE, "automargin": True,
    "title": {"standoff": 8}, "ticks": "",
}  # fmt: skip


def colour(number: int) -> str:
    """Return the colour of the run of this number; there are `SERIES`, then they come again."""
    return f"var(--series-{number % SERIES + 1})"


def dash(number: int) -> str:
    """Return a line's dashes, which tell apart runs of one colour."""
    return DASHES[number // SERIES % len(DASHES)]


def symbol(number: int) -> str:
    """Return a marker's symbol, which tells apart runs of one colour."""
    return SYMBOLS[number // SERIES % len(SYMBOLS)]


def chart(
    traces: Iterable[Any],
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    **layout: Any,
) -> go.Figure:
    """Return a chart of ``traces``; ``x`` and ``y`` say what is special about its axes."""
    figure = go.Figure(list(traces))
    figure.update_layout(
        xaxis=_axis(x),
        yaxis=_axis(y),
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 12, "t": 24, "b": 8},
        showlegend=False,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": SOFT, "activecolor": INK},
        hoverlabel={"bgcolor": PAPER, "bordercolor": RULE, "font": {"color": INK}},
    )
    figure.update_layout(**layout)
    figure.layout.template = None
    return figure


def _axis(special: Mapping[str, Any]) -> dict[str, Any]:
    title = special.get("title", "")
    return {**_AXIS, **special, "title": {"text": title, "standoff": 8}}


def place_colour(number: int) -> str:
    """Return the colour of a place or of what is done there: others than those of runs."""
    return f"var(--place-{number % 6 + 1})"


def wide_axis(low: float, high: float, title: str) -> dict[str, Any]:
    """Return an axis that reaches from ``low`` to ``high``, both above nought.

    It is logarithmic, with ticks at 1, 2 and 5, unless they are near one another.
    """
    if high < _WIDE * low:
        margin = 0.05 * (high - low) or 0.5 * high
        return {"title": title, "range": (low - margin, high + margin)}
    first, last = floor(log10(low)), ceil(log10(high))
    ticks = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
    return {
        "title": title, "type": "log", "tickmode": "array", "tickvals": ticks,
        "ticktext": [f"{tick:g}" for tick in ticks],
        "range": (log10(low) - 0.05, log10(high) + 0.05),
    }  # fmt: skip


def line_at(value: float, text: str, *, vertical: bool) -> dict[str, Any]:
    """Return what a layout needs to show a limit: a thin line across the chart, and its name.

    ``value`` is in the unit of its axis.
    """
    along, across = ("x", "y") if vertical else ("y", "x")
    return {
        "type": "line", f"{along}0": value, f"{along}1": value, f"{across}0": 0, f"{across}1": 1,
        f"{across}ref": "paper", "line": {"color": SOFT, "width": 1, "dash": "dot"},
        "label": {"text": text, "font": {"color": SOFT, "size": 12}, "textposition": "end",
                  "textangle": 0, "xanchor": "left" if vertical else "right"},
    }  # fmt: skip
