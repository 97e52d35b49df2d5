"""From a report to one HTML file that needs nothing else: no network, no file beside it."""

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from experiments.keeping import whole
from experiments.reports.values import CellMap, Facts, Figure, Mark, Part, Picture, Report, Table
from experiments.reports.wording import rounded

MOST_ROWS: Final = 60
"""Rows of a figure's data that stand in the page as text; the file for download has all."""
_LARGE_BYTES: Final = 200_000
"""Data that are larger are downloaded compressed."""


def write(report: Report, path: Path) -> None:
    """Write the page, whole or not at all; `RealRunError` where it cannot be written."""
    text = render(report)
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def render(report: Report) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("experiments.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {
        "kind": _kind,
        "is_mark": lambda cell: isinstance(cell, Mark),
        "content": _content,
        "rows": _rows,
        "download": _download,
        "png": _png,
        "asset": _asset,
        "plotly": partial(Markup, get_plotlyjs()),
        "most_rows": MOST_ROWS,
        "breakable": _breakable,
    }
    return environment.get_template("page.html").render(report=report)


def _kind(part: Part) -> str:
    kinds = {Figure: "figure", CellMap: "cells", Table: "table", Facts: "facts", Picture: "picture"}
    return kinds[type(part)]


def _asset(name: str) -> Markup:
    """Return a style sheet or a script of ours, as it is."""
    folder = resources.files("experiments.reports") / "templates"
    return Markup((folder / name).read_text(encoding="utf-8"))  # noqa: S704 - our own


def _content(part: Figure | CellMap) -> Markup:
    """Return what a script draws from, as JSON that cannot end the element that it stands in."""
    if isinstance(part, CellMap):
        return _embedded(json.dumps(part.content, separators=(",", ":"), allow_nan=False))
    views = [
        f'{{"at":{json.dumps(dict(view.at))},"chart":{view.chart.to_json()}}}'
        for view in part.views
    ]
    return _embedded(f"[{','.join(views)}]")


def _breakable(text: str) -> Markup:
    """Return text that may go on in the next line where a policy's parts meet."""
    safe = str(escape(text))
    for sign in "/:,":
        safe = safe.replace(sign, f"{sign}<wbr>")
    return Markup(safe)  # noqa: S704 - escaped above


def _embedded(text: str) -> Markup:
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - no tag is left in it


def _rows(data: pd.DataFrame) -> Sequence[Sequence[str]]:
    """Return the first rows of a table as text."""
    return [
        [_text(value) for value in row]
        for row in data.head(MOST_ROWS).itertuples(index=False, name=None)
    ]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return rounded(value, 4)
    return str(value)


def _png(picture: Picture) -> str:
    """Return the address that holds a picture."""
    return f"data:image/png;base64,{b64encode(picture.png).decode()}"


def _download(data: pd.DataFrame, name: str) -> Mapping[str, str]:
    """Return the address that holds all of ``data`` as CSV, and what the file is to be called."""
    text = data.to_csv(index=False, float_format="%.9g").encode()
    if len(text) <= _LARGE_BYTES:
        return {"href": f"data:text/csv;base64,{b64encode(text).decode()}", "file": f"{name}.csv"}
    packed = b64encode(gzip.compress(text, mtime=0)).decode()
    return {"href": f"data:application/gzip;base64,{packed}", "file": f"{name}.csv.gz"}
