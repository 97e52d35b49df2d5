"""Worlds get rougher one thing at a time, and policies are compared in each."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions.who_copes_with_stragglers import REFERENCE, ROUGH, STALE_S, main, worlds
from experiments.scenarios.loader import load

from .conftest import Pictured


def test_a_world_is_made_rougher_one_thing_at_a_time(scenario: str) -> None:
    alike, unequal, rough, stale = (world for _, world in worlds(load(scenario)))
    assert len({cloud.device for cloud in alike.topology.clouds}) == 1
    assert unequal == load(scenario)
    assert {cloud.serving for cloud in rough.topology.clouds} == {ROUGH}
    assert [node for node in rough.topology.nodes if node.trusted] == [
        node for node in unequal.topology.nodes if node.trusted
    ]
    assert stale.topology == rough.topology
    assert stale.view_age_s == STALE_S > rough.view_age_s


def test_a_policy_beside_itself_shows_no_difference(
    scenario: str, figure: Path, pictured: Pictured, capsys: pytest.CaptureFixture[str]
) -> None:
    main(scenario, figure, 2, [REFERENCE, "local"])
    lines = capsys.readouterr().out.splitlines()
    same = [line for line in lines if line.startswith(f"  {REFERENCE} ")]
    assert len(same) == 4
    assert all("+0 (+0 to +0)" in line for line in same)
    assert all(line.endswith("no difference shown") for line in same)
    pictured(1300, 280)
