"""Pages in a real browser: all charts drawn, nothing asked of the network, no complaint."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser

from experiments.reports.swept import Swept
from tests.experiments.reports.browsing import Reader
from tests.experiments.reports.conftest import KINDS, POLICIES

MARKS = ".cartesianlayer :is(.point, .js-line, .hm image, .errorbar)"
UNDRAWN = f"""
() => [...document.querySelectorAll("figure.figure, figure.cells")]
  .filter((figure) => !figure.querySelector(".plot .main-svg {MARKS}"))
  .map((figure) => figure.id)
"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
INKS = """
() => [getComputedStyle(document.body).color,
       document.querySelector(".plot").layout.font.color,
       getComputedStyle(document.body).backgroundColor]
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "mode"), [(1200, "light"), (375, "dark")])
def test_every_chart_is_drawn_without_a_complaint_a_request_or_scrolling_sideways(
    browser: Browser, pages: dict[str, Path], kind: str, width: int, mode: str
) -> None:
    with Reader(browser, pages[kind], width, mode) as reader:
        assert reader.page.evaluate(UNDRAWN) == []
        assert reader.page.evaluate(TOO_WIDE) <= 0
        assert reader.complaints == []
        assert reader.requests == []


def test_what_is_asked_of_the_network_would_be_noticed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "asks.html"
    path.write_text(
        '<html data-drawn="all"><img src="http://127.0.0.1:59999/x.png">', encoding="utf-8"
    )
    with Reader(browser, path) as reader:
        reader.page.wait_for_load_state()
        assert reader.requests == ["http://127.0.0.1:59999/x.png"]
        assert reader.complaints


def test_hiding_a_policy_hides_it_in_every_figure(browser: Browser, pages: dict[str, Path]) -> None:
    with Reader(browser, pages["results"]) as reader:
        before = {name: reader.traces(name) for name in ("latency", "pareto", "differences")}
        assert before == {"latency": len(POLICIES), "pareto": len(POLICIES), "differences": 2}
        reader.page.get_by_role("checkbox", name=POLICIES[1]).uncheck()
        reader.page.wait_for_function(
            "count => document.querySelector('#figure-differences .plot').data.length === count",
            arg=before["differences"] - 1,
        )
        assert reader.traces("latency") == before["latency"] - 1
        assert reader.traces("pareto") == before["pareto"] - 1


def test_the_keyboard_alone_reaches_the_verdict_a_choice_and_a_filter(
    browser: Browser, pages: dict[str, Path]
) -> None:
    with Reader(browser, pages["results"]) as reader:
        page = reader.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.run") == POLICIES[0]
        page.keyboard.press("Space")
        page.wait_for_function("document.querySelector('#figure-latency .plot').data.length === 2")
        tail = page.locator("#figure-latency button", has_text="the slowest tenth")
        _tab_to(reader, "the slowest tenth")
        page.keyboard.press("Enter")
        assert tail.get_attribute("aria-pressed") == "true"
        low = "document.querySelector('#figure-latency .plot').layout.yaxis.range[0]"
        assert page.evaluate(low) == pytest.approx(0.9)


def _tab_to(reader: Reader, text: str) -> None:
    for _ in range(60):
        reader.page.keyboard.press("Tab")
        if reader.page.evaluate("document.activeElement.textContent") == text:
            return
    pytest.fail(f"no key leads to {text!r}")


def test_dark_mode_turns_page_and_figures_at_once(browser: Browser, pages: dict[str, Path]) -> None:
    with Reader(browser, pages["results"]) as reader:
        light = reader.page.evaluate(INKS)
        reader.page.emulate_media(color_scheme="dark")
        reader.page.wait_for_function(
            "ink => document.querySelector('.plot').layout.font.color !== ink", arg=light[1]
        )
        dark = reader.page.evaluate(INKS)
        assert all(one != other for one, other in zip(light, dark, strict=True))
        assert reader.complaints == []


def test_a_choice_draws_its_view_as_high_as_it_is_to_be(
    browser: Browser, pages: dict[str, Path]
) -> None:
    heights = """
    () => { const plot = document.querySelector("#figure-requests .plot");
            return [plot.clientHeight, plot.querySelector(".main-svg").clientHeight]; }
    """
    with Reader(browser, pages["results"]) as reader:
        low = reader.page.evaluate(heights)
        reader.page.locator("#figure-requests button", has_text=POLICIES[2]).click()
        reader.page.wait_for_function(f"before => ({heights})()[1] > before", arg=low[1])
        high = reader.page.evaluate(heights)
    assert low[0] == low[1] < high[0] == high[1]


def test_the_data_that_are_downloaded_are_those_of_the_figure(
    browser: Browser, pages: dict[str, Path], swept: Path, tmp_path: Path
) -> None:
    with Reader(browser, pages["results"]) as reader:
        with reader.page.expect_download() as waiting:
            reader.page.locator("#figure-pareto .data a").click()
        waiting.value.save_as(tmp_path / "pareto.csv")
    found = pd.read_csv(tmp_path / "pareto.csv")
    assert found["policy"].tolist() == list(POLICIES)
    assert (found["p99_ms"] > 0).all()

    with Reader(browser, pages["swept"]) as reader:
        with reader.page.expect_download() as waiting:
            reader.page.locator("#figure-cells .data a").click()
        waiting.value.save_as(tmp_path / "cells")
    content = (tmp_path / "cells").read_bytes()
    if waiting.value.suggested_filename.endswith(".gz"):
        content = gzip.decompress(content)
    assert content.count(b"\n") == len(Swept(swept).cells) + 1


def test_the_cells_of_a_sweep_are_shown_along_any_axis(
    browser: Browser, pages: dict[str, Path]
) -> None:
    with Reader(browser, pages["swept"]) as reader:
        page = reader.page
        shown = "document.querySelector('#figure-cells .plot').data[0]"
        assert page.evaluate(f"{shown}.type") == "heatmap"
        assert page.evaluate(f"{shown}.x") == ["2", "4", "17"]
        assert page.evaluate(f"{shown}.y") == ["fp16", "int8"]
        assert page.evaluate(f"{shown}.z.map((row) => row[2])") == [None, None]
        assert page.evaluate(f"{shown}.text[0][2]") == "failed"
        page.locator("#figure-cells select[name=figure]").select_option(label="median, ms")
        page.locator("#figure-cells select[name=up]").select_option(label="lines")
        page.wait_for_function(f"{shown}.type === 'scatter'")
        lines = page.evaluate("document.querySelector('#figure-cells .plot').data")
        assert {line["name"] for line in lines} == {
            "local", "sharded/deferred:clouds={clouds},codec={codec}",
        }  # fmt: skip
        local = next(line for line in lines if line["name"] == "local")
        assert len(set(local["y"])) == 1
        rates = page.locator('#figure-cells select[name="workload.arrivals.rate_per_s"]')
        before = local["y"]
        rates.select_option(label="4")
        page.wait_for_function(
            "before => !document.querySelector('#figure-cells .plot').data.some("
            "(line) => line.name === 'local' && line.y[0] === before)", arg=before[0],
        )  # fmt: skip
        assert reader.complaints == []
