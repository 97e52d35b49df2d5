"""A faster and a shorter access line never answers later, and a codec of fewer bits neither."""

from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions import how_fast_a_link, where_the_deadline_holds
from experiments.questions.access import access_of, over
from experiments.verdict import Answer
from sim.errors import ScenarioError
from topologies.shipped import load

from .conftest import Pictured


def test_the_downlink_stays_in_proportion() -> None:
    shipped = load("orin-nano-4-clouds")
    access = access_of(over(shipped, 10e6, 0.05))
    assert (access.rate_bits_per_s, access.back_rate_bits_per_s) == pytest.approx((10e6, 30e6))
    assert access.delay_s == 0.025
    unchanged = [link for link in over(shipped, 10e6, 0.05).links if link in shipped.links]
    assert len(unchanged) == len(shipped.links) - 1


def test_a_topology_of_several_edges_is_refused() -> None:
    with pytest.raises(ScenarioError, match="links lead to an edge"):
        over(load("metro-200"), 10e6, 0.01)


def test_faster_and_shorter_lines_answer_sooner(
    scenario: str, figure: Path, pictured: Pictured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(how_fast_a_link, "POLICIES", ("local", "offload"))
    monkeypatch.setattr(how_fast_a_link, "RATES_BITS_PER_S", (50e6, 500e6))
    monkeypatch.setattr(how_fast_a_link, "ROUND_TRIPS_S", (4e-3, 80e-3))
    rows, _ = how_fast_a_link.measured(scenario, 1)
    p99_s = rows.set_index(["policy", "round_trip_s", "uplink_bits_per_s"])["p99_s"]
    assert p99_s["offload", 4e-3, 500e6] < p99_s["offload", 4e-3, 50e6]
    longer_s = p99_s["offload", 80e-3, 500e6] - p99_s["offload", 4e-3, 500e6]
    assert longer_s == pytest.approx(76e-3)
    assert p99_s["local"].nunique() == 1  # nothing of it is on a line
    how_fast_a_link.main(scenario, figure, 1)
    pictured(1200, 440)


def test_the_map_has_the_deadline_of_the_scenario(
    scenario: str,
    figure: Path,
    pictured: Pictured,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(where_the_deadline_holds, "CODECS", ("fp16", "int4"))
    monkeypatch.setattr(where_the_deadline_holds, "RATES_BITS_PER_S", (20e6, 1e9))
    monkeypatch.setattr(where_the_deadline_holds, "ROUND_TRIPS_S", (2e-3, 2.0))
    cells, deadline_s = where_the_deadline_holds.judged(scenario, 1)
    assert deadline_s == 0.9
    far = cells[cells["round_trip_s"] == 2.0]
    assert set(far["answer"]) == {Answer.MISSED.name}  # a round trip alone takes longer
    for _, line in cells.groupby(["codec", "round_trip_s"]):
        assert all(one >= other for one, other in pairwise(line["p99_s"]))
    where_the_deadline_holds.main(scenario, figure, 1)
    assert "900 ms" in capsys.readouterr().out
    pictured(1200, 400)
