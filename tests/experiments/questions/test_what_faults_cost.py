"""What faults cost shows while they last, and not before."""

from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions import what_faults_cost
from experiments.questions.script import status_of
from experiments.questions.what_faults_cost import CHURN, PHASES, requests, span_s, summary
from experiments.scenarios.loader import load
from tests.complaints import one_line

from .conftest import Pictured

CLOUDS = ("aws-t4", "gcp-l4", "azure-a100", "coreweave-h100")
SETTINGS = (
    "workload.arrivals={kind: poisson, rate_per_s: 1.0}", "workload.requests=60", "patience=1s",
)  # fmt: skip


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    file = tmp_path / "faults.yaml"
    happens = product((("20s", "crash"), ("40s", "recover")), CLOUDS)
    lines = (f"  - {{at: {at}, node: {cloud}, fault: {fault}}}" for (at, fault), cloud in happens)
    file.write_text("\n".join(["detection: 50ms", "schedule:", *lines]), encoding="utf-8")
    return file


def test_requests_are_lost_while_all_clouds_are_down_and_only_then(
    scenario: str, faults: Path
) -> None:
    asked = load(scenario, [*SETTINGS, f"faults={faults}", "replications=1"], "offload")
    table = summary(requests(asked), span_s(asked, faults))
    assert tuple(table.index) == PHASES
    assert table.loc["before", "unanswered"] == table.loc["after", "unanswered"] == "0"
    assert 0 < int(table.loc["while", "unanswered"]) <= int(table.loc["while", "requests"])
    assert sum(map(int, table["requests"])) == 60 - asked.warm_up


def test_latency_under_faults_is_drawn(
    scenario: str, faults: Path, figure: Path, pictured: Pictured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(what_faults_cost, "SETTINGS", SETTINGS)
    monkeypatch.setattr(what_faults_cost, "POLICIES", ("offload", "local"))
    what_faults_cost.main(scenario, figure, 1, faults)
    pictured(1000, 480)


def test_the_shipped_faults_befall_the_shipped_scenario() -> None:
    shipped = load("jetson-16-clouds", [f"faults={CHURN}"])
    first_s, last_s = span_s(shipped, CHURN)
    assert (first_s, last_s) == (100.0, 200.0)
    assert {fault.kind for fault in shipped.faults.schedule} == {
        "crash", "recover", "leave", "join",
    }  # fmt: skip


def test_a_file_without_a_schedule_is_refused(
    scenario: str, figure: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "none.yaml"
    file.write_text("detection: 50ms\n", encoding="utf-8")
    arguments = [scenario, str(figure), "1", "--faults", str(file)]
    assert status_of(what_faults_cost.main, arguments) == 2
    one_line(capsys.readouterr().err, "none.yaml", "schedule")
    assert not figure.exists()
