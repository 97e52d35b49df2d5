"""A sweep's cells along the axes that one chooses: a map over two, lines over one.

The page draws it (see ``cells.js``), from places on axes and figures; what is here makes these.
"""

from math import isfinite
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from experiments.reports.look import SERIES, chart, colour, line_at
from experiments.reports.swept import ANY, Swept
from experiments.reports.values import CellMap, Section
from experiments.sweeps.axes import POLICY
from experiments.verdict import QUANTILE, Answer

_DIGITS: Final = 5
_DONE, _SATURATED, _FAILED = range(3)


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
VERDICT: Final = Measure("judged", f"deadline holds at p{QUANTILE * 100:g}", "", 1.0, "", _MORE)
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


def section(swept: Swept) -> Section | None:
    """Return the map of all cells; nothing where they differ in nothing, or none is done."""
    cells = swept.cells
    if not swept.axes or not (cells["error"] == "").any():
        return None
    caption = (
        "Each field is one cell, or the mean of several where a filter is set to all (of verdicts, "
        "the worst). A field is grey where any of its cells failed, or has no steady state and so "
        "no latency; pointing at it says which. Lines have 95 % intervals where each point is one "
        "cell. An axis that means nothing to a policy does not change it."
    )
    part = CellMap("cells", "Cells", caption, content(swept), cells.drop(columns="cell"))
    return Section("cells", "Cells of the sweep", _missing(swept), (part,))


def _missing(swept: Swept) -> tuple[str, ...]:
    missing = swept.wanted - len(swept.cells)
    if not missing:
        return ()
    return (f"{missing:,} of {swept.wanted:,} cells are not simulated yet: go on by --resume.",)


def content(swept: Swept) -> dict[str, object]:
    """Return what the page draws from: places on axes, states, and measures with their bounds.

    ``places`` are indices of an axis's values, -1 for any. Numbers have `_DIGITS` digits.
    """
    cells = swept.cells.assign(judged=_judged(swept.cells))
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
        "measures": [_measure(cells, each) for each in known],
        "layout": _layouts(swept),
    }


def _known(cells: pd.DataFrame, measure: Measure) -> bool:
    return measure.column in cells and bool(cells[measure.column].notna().any())


def _states(cells: pd.DataFrame) -> list[int]:
    failed = (cells["error"] != "").to_numpy()
    saturated = cells["saturated"].fillna(value=False).astype(bool).to_numpy()
    return [int(each) for each in np.where(failed, _FAILED, np.where(saturated, _SATURATED, _DONE))]


def _judged(cells: pd.DataFrame) -> "pd.Series[float]":
    """Return 1 where the deadline holds, 0 where nobody can say, -1 where it does not."""
    numbers = {Answer.MISSED: -1.0, Answer.UNDECIDED: 0.0, Answer.HOLDS: 1.0}
    said = {answer.name.lower(): number for answer, number in numbers.items()}
    words = cells["verdict"] if "verdict" in cells else pd.Series(index=cells.index, dtype=str)
    return words.map(said).astype(float)


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
    limit = swept.deadlines_s[0] * 1e3 if len(swept.deadlines_s) == 1 else None
    return {
        "plain": empty.to_plotly_json()["layout"],
        "colours": [colour(number) for number in range(SERIES)],
        "deadline": line_at(limit, "deadline", vertical=False) if limit else None,
    }
