"""Experiment scripts answer their question with figures of a run, and draw them."""

from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

import matplotlib as mpl

from experiments.questions import how_many_clouds, schedulers
from tests.experiments.conftest import ScenarioFile


@pytest.fixture
def scenario(scenario_file: ScenarioFile) -> Path:
    mpl.use("Agg")
    return scenario_file("poisson", "camera")


def test_schedulers_are_put_beside_the_bound(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = scenario.with_suffix(".png")
    schedulers.main(str(scenario), str(figure), "1")
    lines = capsys.readouterr().out.splitlines()
    bound_ms = float(lines[0].split()[-2])
    assert bound_ms == pytest.approx(
        1e3 * schedulers.bound(str(scenario), schedulers.SHARDED + "heft"), abs=1
    )
    gaps = [float(word.rstrip("%")) for line in lines[4:] for word in line.split()[1:]]
    assert len(gaps) == 3 * len(schedulers.ASSIGNMENTS)
    assert min(gaps) >= 0  # nobody is quicker than is possible
    with Image.open(figure) as drawn:
        assert drawn.size == (800, 450)


def test_more_clouds_see_less_each(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure = scenario.with_suffix(".png")
    how_many_clouds.main(str(scenario), str(figure), "1")
    said = capsys.readouterr().out
    seen = said.partition("most that a cloud sees, %")[2].splitlines()[3]
    shares = [float(word) for word in seen.split()[1:]]
    assert shares[0] == 100
    assert shares == sorted(shares, reverse=True)
    with Image.open(figure) as drawn:
        assert drawn.size == (1200, 400)
