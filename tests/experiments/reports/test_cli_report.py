"""`tessera report`: a page, or one line on why there is none."""

import json
import shutil
from pathlib import Path

import pytest

from tests.complaints import refused
from tests.experiments.conftest import Program
from tests.experiments.test_extras import without
from tests.limits import no_file_above


def test_the_page_lies_in_the_folder_or_where_one_wants_it(
    tessera: Program, results: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    ran = tessera("report", str(copy))
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"{copy / 'report.html'}: ")
    elsewhere = tmp_path / "page.html"
    assert tessera("report", str(copy), "--out", str(elsewhere)).status == 0
    assert elsewhere.read_bytes() == (copy / "report.html").read_bytes()


def test_the_page_is_opened_where_that_is_asked(
    tessera: Program, certified: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    out = tmp_path / "a page.html"
    assert tessera("report", str(certified), "--out", str(out), "--open").status == 0
    assert opened == [out.as_uri()]


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "holds no results; name what a command"),
        ({"manifest.json": "{"}, "manifest.json: no JSON"),
        ({"manifest.json": "[]"}, "manifest.json: is no manifest of a result folder"),
        ({"errors.json": "{}"}, "errors.json: is not what tessera compare wrote"),
        ({"orders.json": json.dumps({"protocol": {}})}, "is not done yet; give the command"),
        ({"orders.json": "{}", "findings.json": "[]"}, "findings.json: is not what tessera wrote"),
        (
            {"orders.json": "{}", "findings.json": json.dumps({"kind": "x", "found": {}})},
            "there is no report of 'x'",
        ),
        (
            {"orders.json": "{}", "findings.json": json.dumps({"kind": "search", "found": {}})},
            "is not what tessera wrote",
        ),
        (
            {"orders.json": json.dumps({"cells": [["local", {}]]})},
            "is not what tessera sweep wrote",
        ),
    ],
)
def test_a_folder_that_is_none_is_a_line(
    tessera: Program, tmp_path: Path, files: dict[str, str], complaint: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    refused(tessera("report", str(tmp_path)), str(tmp_path), complaint)
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_a_place_that_cannot_be_written_is_a_line(
    tessera: Program, certified: Path, tmp_path: Path
) -> None:
    refused(tessera("report", str(tmp_path / "none")), "none: there is no such folder")
    out = tmp_path / "deep" / "page.html"
    refused(tessera("report", str(certified), "--out", str(out)), f"--out {out}")
    page = tmp_path / "page.html"
    with no_file_above(100_000):
        refused(tessera("report", str(certified), "--out", str(page)), "make room there")
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_names_the_package(tmp_path: Path) -> None:
    (ran,) = without(("jinja2", "plotly", "duckdb"), tmp_path, ["report", str(tmp_path)])
    refused(ran, "is not installed; pip install 'tessera[report]'")
