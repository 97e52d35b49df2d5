"""The page itself: in one file, with all data, and nothing in it that a name could break."""

import gzip
import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.reports.look import chart
from experiments.reports.page import MOST_ROWS, render
from experiments.reports.values import Answer, Figure, Key, Mark, Report, Section, Table, View

EVIL = "</script><script>alert('&')</script>"


class Links(HTMLParser):
    """What a page points to, and the text of its scripts' kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.scripts = 0
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.targets += [value or "" for name, value in attrs if name in {"href", "src"}]
        self.names |= {value or "" for name, value in attrs if name == "id"}


def parsed(text: str) -> Links:
    found = Links()
    found.feed(text)
    return found


def report(label: str = "local", rows: int = 3) -> Report:
    data = pd.DataFrame({"policy": label, "x_ms": np.arange(rows) / 3})
    drawn = chart([{"type": "scatter", "x": [1], "y": [2], "name": label}], {}, {})
    figure = Figure("some", label, label, (View(drawn, (("policy", label),)),), data)
    table = Table(label, ("policy", label), ((label, Mark(label, "good")),))
    section = Section("first", label, (label,), (figure, table))
    answer = Answer(Mark("holds", "good"), label, label)
    return Report(label, label, label, (answer,), (section,), (Key(label, "red"),) * 2)


@pytest.mark.parametrize("kind", ["results", "certified", "swept", "compared"])
def test_a_page_points_to_nothing_outside(pages: dict[str, Path], kind: str) -> None:
    found = parsed(pages[kind].read_text(encoding="utf-8"))
    assert found.targets
    for target in found.targets:
        assert target.startswith(("#", "data:"))
        assert not target.startswith("#") or target[1:] in found.names


def test_names_cannot_end_what_they_stand_in() -> None:
    plain, evil = parsed(render(report())), parsed(render(report(EVIL)))
    assert evil.scripts == plain.scripts
    assert "alert('&')</script>" not in render(report(EVIL))


@pytest.mark.parametrize("rows", [3, 30_000])
def test_the_data_of_a_figure_are_all_there_to_download(rows: int) -> None:
    text = render(report(rows=rows))
    kind, content = re.findall(r'download="some\.(csv[.gz]*)" href="data:[^,]*,([^"]+)"', text)[0]
    packed = b64decode(content)
    plain = gzip.decompress(packed) if kind == "csv.gz" else packed
    found = pd.read_csv(BytesIO(plain))
    assert (kind == "csv.gz") == (rows > 3)
    np.testing.assert_allclose(found["x_ms"], np.arange(rows) / 3, rtol=1e-8)


def test_data_stand_in_the_page_as_text_too_a_part_where_they_are_many() -> None:
    assert "The first" not in render(report(rows=MOST_ROWS))
    many = render(report(rows=MOST_ROWS + 1))
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 1} rows" in many


def test_the_same_folder_gives_the_same_page() -> None:
    assert render(report()) == render(report())
