"""A coalition sees what its members were sent, together."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions import what_a_coalition_sees
from experiments.questions.what_a_coalition_sees import coalitions
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator

from .conftest import Pictured


def test_more_see_more_and_all_see_everything(scenario: str) -> None:
    policy = "sharded/deferred:assignment=round-robin"
    trace = Simulator().run(load(scenario, ["workload.requests=3"], policy))
    seen = coalitions(trace, range(1, 5))
    assert list(seen.values()) == sorted(seen.values())
    assert seen[4] == 1.0
    assert 0.25 <= seen[1] < seen[2] < 1.0


def test_nobody_sees_what_stays_at_the_edge(scenario: str) -> None:
    trace = Simulator().run(load(scenario, ["workload.requests=3"], "local"))
    assert set(coalitions(trace, range(1, 5)).values()) == {0.0}


def test_assignments_are_drawn_for_as_many_clouds_as_there_are(
    scenario: str, figure: Path, pictured: Pictured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(what_a_coalition_sees, "ASSIGNMENTS", ("round-robin", "clustered"))
    rows, _ = what_a_coalition_sees.measured(scenario, 1)
    assert list(rows["clouds"]) == [4, 4]
    what_a_coalition_sees.main(scenario, figure, 1)
    pictured(1200, 460)
