"""Assignments over load are put beside what is possible."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions import schedulers

from .conftest import Pictured


def test_schedulers_are_put_beside_the_bound(
    scenario: str, figure: Path, pictured: Pictured, capsys: pytest.CaptureFixture[str]
) -> None:
    schedulers.main(scenario, figure, 1)
    lines = capsys.readouterr().out.splitlines()
    bound_ms = float(lines[0].split()[-2])
    assert bound_ms == pytest.approx(
        1e3 * schedulers.bound(scenario, schedulers.SHARDED + "heft"), abs=1
    )
    gaps = [float(word.rstrip("%")) for line in lines[4:] for word in line.split()[1:]]
    assert len(gaps) == 3 * len(schedulers.ASSIGNMENTS)
    assert min(gaps) >= 0  # nobody is quicker than is possible
    pictured(800, 450)
