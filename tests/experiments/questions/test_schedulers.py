"""Assignments over load are put beside what is possible."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions import schedulers
from sim.errors import PolicyError

from .conftest import Pictured


def test_schedulers_are_put_beside_the_bound(
    scenario: str, figure: Path, pictured: Pictured, capsys: pytest.CaptureFixture[str]
) -> None:
    family = "sharded/prefix:codec=int4"
    schedulers.main(scenario, figure, 1, family, "1.0,2.0")
    lines = capsys.readouterr().out.splitlines()
    bound_ms = float(lines[0].split()[-2])
    assert bound_ms == pytest.approx(1e3 * schedulers.bound(scenario, family), abs=1)
    gaps = [float(word.rstrip("%")) for line in lines[4:] for word in line.split()[1:]]
    assert len(gaps) == 2 * len(schedulers.ASSIGNMENTS)
    assert min(gaps) >= 0  # nobody is quicker than is possible
    pictured(800, 450)


def test_of_what_is_not_sharded_there_is_no_bound(scenario: str) -> None:
    with pytest.raises(PolicyError, match="the bound is of sharded policies"):
        schedulers.bound(scenario, "local")
