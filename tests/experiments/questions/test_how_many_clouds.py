"""More clouds see less each, and a topology that grows stays what it was."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions import how_many_clouds
from experiments.questions.how_many_clouds import grown
from topologies.shipped import load

from .conftest import Pictured


def test_more_clouds_see_less_each(
    scenario: str,
    figure: Path,
    pictured: Pictured,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(how_many_clouds, "CLOUDS", (1, 2, 4, 8))
    how_many_clouds.main(scenario, figure, 1)
    said = capsys.readouterr().out
    seen = said.partition("most that a cloud sees of an image, %")[2].splitlines()[3]
    shares = [float(word) for word in seen.split()[1:]]
    assert shares[0] == 100
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < shares[1]
    pictured(1200, 400)


def test_a_cloud_of_a_kind_more_lies_where_the_first_one_does() -> None:
    small = load("orin-nano-4-clouds")
    assert grown(small, 3) == small
    large = grown(small, 64)
    assert len(large.clouds) == 64
    edge = next(node.name for node in small.nodes if node.role == "edge")
    for cloud in small.clouds:
        twin = large.node(f"{cloud.name}-16")
        assert twin.device == cloud.device
        assert large.route(edge, twin.name).delay_s == small.route(edge, cloud.name).delay_s
