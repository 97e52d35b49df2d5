"""What tests of questions share: a small scenario, and pictures that are pictures."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.experiments.conftest import ScenarioFile

Pictured = Callable[[int, int], None]


@pytest.fixture
def scenario(scenario_file: ScenarioFile) -> str:
    """Return the path of a scenario of twelve requests to one edge with four clouds."""
    return str(scenario_file("poisson", "camera"))


@pytest.fixture
def figure(tmp_path: Path) -> Path:
    return tmp_path / "figure.png"


@pytest.fixture
def pictured(figure: Path) -> Pictured:
    """Return what proves that the figure is a PNG of this size, and that nothing lies beside it."""
    image = pytest.importorskip("PIL.Image", reason="pip install 'tessera[real]'")

    def prove(width_px: int, height_px: int) -> None:
        with image.open(figure) as drawn:
            assert drawn.format == "PNG"
            assert drawn.size == (width_px, height_px)
            assert drawn.convert("L").getextrema()[0] < 128  # there is ink
        assert not list(figure.parent.glob("*.part"))

    return prove
