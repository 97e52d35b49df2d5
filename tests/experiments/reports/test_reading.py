"""Which sections a page has, by kind of folder, and that they say what the commands said."""

from pathlib import Path

import pandas as pd
import pytest

from experiments.reports import reading
from experiments.reports.fidelity import FidelityKept
from experiments.reports.kept import Kept
from experiments.reports.sections import latencies, residuals, single_requests
from experiments.reports.sections.network import layout
from experiments.reports.values import Facts, Figure, Table
from experiments.statistics.estimates import quantile_of
from tests.experiments.reports.conftest import POLICIES, manifest
from topologies.shipped import load

SECTIONS = {
    "results": [
        "asked", "verdict", "figures", "latency", "spending", "requests", "network", "pareto",
        "comparison", "exposure",
    ],
    "certified": [
        "asked", "verdict", "figures", "latency", "spending", "requests", "network", "exposure",
        "certificate",
    ],
    "swept": ["asked", "cells", "front"],
    "compared": [
        "asked", "residuals", "errors", "latency", "spending", "requests", "network",
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", SECTIONS)
def test_each_kind_of_folder_has_its_sections_and_no_empty_one(
    request: pytest.FixtureRequest, kind: str
) -> None:
    report = reading.read(request.getfixturevalue(kind))
    assert [section.name for section in report.sections] == SECTIONS[kind]
    assert report.answers
    for section in report.sections:
        assert section.parts
        for part in section.parts:
            if isinstance(part, Figure):
                assert len(part.data) > 0
                assert part.caption.endswith(".")


def test_the_verdict_is_what_simulate_says(results: Path) -> None:
    report = reading.read(results)
    words = {answer.subject: answer.mark.text for answer in report.answers}
    assert list(words) == list(POLICIES)
    assert words["local"] == "does not hold"
    assert words["offload"] == "holds"


def test_what_was_asked_is_enough_to_ask_it_again(results: Path) -> None:
    facts = reading.read(results).sections[0].parts[0]
    assert isinstance(facts, Facts)
    told = dict(facts.pairs)
    assert told["command"].startswith("tessera simulate jetson-16-clouds --policy local")
    assert told["seed"] == "20261121"
    assert told["commit"] == manifest(results)["git_revision"]
    assert told["replications"] == "3, of each the first 10 requests left out"


def test_the_curve_of_latencies_passes_through_the_quantiles(results: Path) -> None:
    run = Kept(results).runs()[2]
    points = latencies.curve(run)
    pooled_s = [each for one in run.campaign.latencies_s for each in one]
    for quantile in (0.5, 0.9, 0.99, 1.0):
        below = points[points["fraction"] >= quantile - 1e-9]["latency_ms"].iloc[0]
        assert below == pytest.approx(quantile_of(pooled_s, quantile) * 1e3, rel=0.02)
    assert points["fraction"].is_monotonic_increasing


def test_single_requests_are_the_ones_they_are_called(results: Path) -> None:
    report = reading.read(results)
    (figure,) = next(each for each in report.sections if each.name == "requests").parts
    assert isinstance(figure, Figure)
    assert figure.choices["request"] == tuple(single_requests.CHOSEN)
    slowest = figure.data[(figure.data["policy"] == "local") & (figure.data["which"] == "slowest")]
    latency_s = Kept(results).table("requests", "local").query("request >= 10")["latency_s"].max()
    assert slowest["end_ms"].max() == pytest.approx(latency_s * 1e3)
    assert (slowest["queued_ms"] >= -1e-6).all()


def test_residuals_are_those_that_compare_told(compared: Path) -> None:
    found = FidelityKept(compared)
    rows = found.residuals(found.simulated)
    together = next(each for each in found.errors["tested"] if each["policy"] == "all")
    for kind in together["errors"]["kinds"]:
        single = rows[rows["kind"] == kind["kind"]]["duration"].abs().median()
        assert single == pytest.approx(kind["single"])
    missed = found.errors["missed"]
    marks = {answer.mark.text for answer in residuals.answers(found)}
    assert marks == ({"outside tolerance"} if missed else {"within tolerance"})


def test_a_certificate_says_what_holds_and_what_does_not(certified: Path) -> None:
    section = reading.read(certified).sections[-1]
    (table,) = section.parts
    assert isinstance(table, Table)
    assert [getattr(row[-1], "text", "") for row in table.rows] == ["holds", "does not hold"]
    assert any("edge->a" in line and "edge->b" in line for line in section.prose)


@pytest.mark.parametrize("name", ["jetson-16-clouds", "wearable-jetson-16-clouds", "metro-200"])
def test_no_two_nodes_are_drawn_in_one_place(name: str) -> None:
    places = layout(load(name))
    assert len(set(places.values())) == len(places) == len(load(name).nodes)


def test_pixels_by_cloud_are_those_of_the_campaign(results: Path) -> None:
    (figure,) = next(s for s in reading.read(results).sections if s.name == "exposure").parts
    assert isinstance(figure, Figure)
    told = figure.data.set_index(["policy", "node"])["pixels"]
    for run in Kept(results).runs():
        expected = run.campaign.seen["pixels"]
        if len(expected):
            pd.testing.assert_series_equal(told[run.label], expected, check_names=False)
