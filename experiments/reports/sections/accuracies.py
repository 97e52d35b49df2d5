"""How much of the unsplit model's accuracy splits keep."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from experiments.reports.look import chart, colour, line_at
from experiments.reports.measured import Measured
from experiments.reports.sections.spending import wrapped
from experiments.reports.values import Answer, Cell, Figure, Mark, Section, Table, View
from experiments.reports.wording import NONE, percent

Result = Mapping[str, Any]
_KINDS: Final = ("all", "point", "box")
_LINE_PX: Final = 17


def question(measured: Measured) -> str:
    """Return what the answers answer."""
    del measured
    return "How much of the unsplit model's accuracy do splits keep?"


def answers(measured: Measured) -> tuple[Answer, ...]:
    """Return a line for each split."""
    return tuple(_answer(result) for result in measured.found["policies"])


def section(measured: Measured) -> Section | None:
    """Return the table, and shares with their intervals."""
    results = [each for each in measured.found["policies"] if not each["refused"]]
    if not results:
        return None
    first = results[0]
    caption = (
        "Kept: mean IoU over the unsplit model's, of the same prompts, 95 % interval over "
        "pictures. Agreement: IoU with the unsplit model's masks; equal: to the last pixel. "
        "kB of a picture to clouds and from them. "
        f"{first['prompts']:,} prompts on {first['pictures']:,} pictures."
    )
    columns = (
        "policy", "mIoU", "point", "box", "kept", "95 %", "agreement", "equal", "kB up", "kB down"
    )  # fmt: skip
    table = Table("", columns, tuple(map(_cells, results)), caption)
    return Section("accuracy", "Splits", (), (_figure(results), table))


def _answer(result: Result) -> Answer:
    if result["refused"]:
        return Answer(Mark("refused", "unsure"), result["policy"], result["refused"])
    same = f"{percent(result['same'])} of its masks are the unsplit model's to the last pixel"
    if result["kept"] is None:
        agreement = f"agreement {result['agreement']:.3f}"
        return Answer(Mark(agreement, "unsure"), result["policy"], same)
    share = result["kept"]["all"]
    said = f"{percent(share['low'], 2)} to {percent(share['high'], 2)}; {same}"
    whole = share["low"] == share["high"] == 1.0
    mark = Mark("keeps all", "good") if whole else Mark(percent(share["value"], 2), "unsure")
    return Answer(mark, result["policy"], said)


def _cells(result: Result) -> tuple[Cell, ...]:
    kept, mious = result["kept"], result["miou"] or {}
    share = kept and kept["all"]
    return (
        result["policy"],
        *(f"{mious[kind]:.3f}" if kind in mious else NONE for kind in _KINDS),
        percent(share["value"], 2) if share else NONE,
        f"{percent(share['low'], 2)} to {percent(share['high'], 2)}" if share else NONE,
        f"{result['agreement']:.4f}",
        percent(result["same"]),
        *(f"{result[name] / 1e3:,.0f}" for name in ("bytes_up", "bytes_down")),
    )


def _figure(results: Sequence[Result]) -> Figure:
    known = [each for each in results if each["kept"] is not None]
    lines = sum(1 + each["policy"].count(":") + each["policy"].count(",") for each in results)
    height_px = 110 + _LINE_PX * (lines + len(results))
    if not known:
        data = pd.DataFrame(
            [(each["policy"], each["agreement"]) for each in results],
            columns=["policy", "agreement"],
        )
        caption = "Mean IoU with the unsplit model's masks; nobody said which are wanted."
        view = View(_chart(results, [each["agreement"] * 100 for each in results], [], "agreement"))
        return Figure("kept", "Agreement", caption, (view,), data, height_px)
    kinds = [kind for kind in _KINDS if all(kind in each["kept"] for each in known)]
    views = tuple(View(_shares(known, kind), (("prompts", kind),)) for kind in kinds)
    rows = [
        (each["policy"], kind, *(each["kept"][kind][name] for name in ("value", "low", "high")))
        for each in known
        for kind in kinds
    ]
    data = pd.DataFrame(rows, columns=["policy", "prompts", "kept", "low", "high"])
    caption = "Accuracy kept, with 95 % intervals over pictures. Dotted: the unsplit model's."
    return Figure("kept", "Accuracy kept", caption, views, data, height_px)


def _shares(results: Sequence[Result], kind: str) -> go.Figure:
    shares = [each["kept"][kind] for each in results]
    values = [share["value"] * 100 for share in shares]
    spans = [((share["high"] - share["value"]) * 100, (share["value"] - share["low"]) * 100)
             for share in shares]  # fmt: skip
    return _chart(results, values, spans, "accuracy kept")


def _chart(
    results: Sequence[Result],
    values: Sequence[float],
    spans: Sequence[tuple[float, float]],
    title: str,
) -> go.Figure:
    labels = [each["policy"] for each in results]
    error = {
        "type": "data", "symmetric": False, "array": [up for up, _ in spans],
        "arrayminus": [down for _, down in spans], "thickness": 1.5, "width": 5,
    }  # fmt: skip
    points = go.Scatter(
        x=values, y=labels, mode="markers", marker={"color": colour(0), "size": 9},
        error_x=error if spans else None,
        hovertemplate="%{x:.2f} %<extra>%{y}</extra>",
    )  # fmt: skip
    return chart(
        [points],
        {"title": f"{title}, %"},
        {"autorange": "reversed", **wrapped(labels)},
        shapes=[line_at(100.0, "", vertical=True)],
    )
