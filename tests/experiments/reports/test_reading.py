"""Which sections a page has, by kind of folder, and that they say what the commands said."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.cli.main import status_of
from experiments.reports import page, reading
from experiments.reports.fidelity import FidelityKept
from experiments.reports.kept import Kept
from experiments.reports.sections import latencies, residuals, single_requests
from experiments.reports.sections.network import layout
from experiments.reports.values import Facts, Figure, Picture, Table
from experiments.statistics.estimates import quantile_of
from tests.experiments.reports.conftest import POLICIES, manifest, settings
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
    "searched": ["asked", "search"],
    "examined": ["asked", "accuracy"],
    "attacked": ["asked", "attacks", "coalitions", "pictures"],
    "designed": ["asked", "designs"],
    "heard": ["asked", "recovered"],
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
    assert told.get("commit") == manifest(results)["git_revision"]
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


def test_runs_that_came_to_nothing_are_reported_too(tmp_path: Path) -> None:
    nodes = ("pi", "aws-micro", "gcp-micro", "azure-b1", "oracle-micro")
    crashes = ", ".join(f"{{node: {node}, at: 0s, fault: crash}}" for node in nodes)
    few = settings("replications=2", "workload.requests=4", "warm_up=0")
    faults = ["--set", f"faults={{schedule: [{crashes}], plans: 1}}"]
    asked = ["simulate", "small-sam", *few, *faults, "--policy", "offload", "--policy", "local"]
    assert status_of([*asked, "--out", str(tmp_path / "failed")]) == 0
    report = reading.read(tmp_path / "failed")
    assert {answer.mark.text for answer in report.answers} == {"does not hold"}
    names = [section.name for section in report.sections]
    assert "incidents" in names
    assert not {"latency", "requests", "pareto"} & set(names)
    assert "does not hold" in page.render(report)


def answers(folder: Path) -> dict[str, str]:
    return {answer.subject: answer.mark.text for answer in reading.read(folder).answers}


def findings(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    return found["found"]


def test_the_best_of_a_search_is_the_best_of_those_that_keep_its_limit(searched: Path) -> None:
    found = findings(searched)
    allowed = [row for row in found["trials"] if row["pixels"] <= 0.3]
    best = min(allowed, key=lambda row: row["p99_s"])
    assert answers(searched) == {best["policy"]: "best", "The same on other arrivals": "again"}
    (section,) = [each for each in reading.read(searched).sections if each.name == "search"]
    figure, table = section.parts
    assert isinstance(figure, Figure)
    assert isinstance(table, Table)
    assert len(figure.data) == len(found["trials"]) == 6
    assert len(table.rows) == len(allowed)


def test_accuracy_is_said_as_the_command_says_it(examined: Path) -> None:
    same, other, refused = findings(examined)["policies"]
    share = other["kept"]["all"]["value"]
    assert answers(examined) == {
        same["policy"]: "keeps all",
        other["policy"]: f"{share:.2%}".replace("%", " %"),
        refused["policy"]: "refused",
    }


def test_attacks_are_said_as_the_command_says_them(attacked: Path, designed: Path) -> None:
    (policy,) = findings(attacked)["policies"]
    rate = policy["identified"]["rate"]
    assert rate["successes"] > 0
    assert answers(attacked) == {policy["policy"]: "no", "local": "refused"}
    pictures = [each for each in reading.read(attacked).sections if each.name == "pictures"]
    ((picture,),) = [section.parts for section in pictures]
    assert isinstance(picture, Picture)
    assert picture.png == (attacked / policy["picture"]).read_bytes()
    said = answers(designed)
    assert said["local"] == "refused"
    assert said[policy["policy"]].startswith("misses attack")  # and perhaps the deadline


def test_who_measured_it_is_told_sitting_by_sitting(designed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(designed, copy)
    sittings = json.loads((copy / "sittings.json").read_text(encoding="utf-8"))
    told = reading.read(copy).sections[0]
    assert told.prose == ()
    (facts,) = told.parts
    assert isinstance(facts, Facts)
    assert dict(facts.pairs)["command"].startswith("tessera tradeoff small-sam --protocol")
    sittings.append({**sittings[0], "git_revision": "another"})
    (copy / "sittings.json").write_text(json.dumps(sittings), encoding="utf-8")
    assert reading.read(copy).sections[0].prose[0].startswith("Measured in 2 sittings, of commits ")
