"""The sweep of emulated links: one point in both worlds, and the figure."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pyroute2", reason="pip install 'tessera[real]'")
pytest.importorskip("matplotlib", reason="pip install 'tessera[plot]'")

from experiments.questions.link_sweep import GRID, Point, measured, plot, with_access
from experiments.scenarios.loader import load
from sim.errors import ScenarioError
from tests.emulating import why_not
from topologies.shipped import load as load_topology


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_a_point_is_measured_in_both_worlds() -> None:
    scenario = load("small-sam", ["replications=1", "workload.requests=8"])
    slow = Point(20e6, 0.05, 0.0)
    (found,) = measured(scenario, (slow,))
    least_s = 2 * (slow.delay_s + 0.002)  # there and back, to the nearest cloud
    assert found.simulated_s > least_s
    assert found.emulated_s > least_s
    assert replace(found, simulated_s=0.0, emulated_s=0.0) == replace(
        slow, simulated_s=0.0, emulated_s=0.0
    )


def test_only_the_access_link_changes() -> None:
    topology = load_topology("small-sam")
    guised = with_access(topology, Point(5e6, 0.03, 0.01))
    changed = [new for old, new in zip(topology.links, guised.links, strict=True) if new != old]
    assert [(link.rate_bits_per_s, link.delay_s, link.loss) for link in changed] == [
        (5e6, 0.03, 0.01)
    ]
    assert "pi" in {changed[0].source, changed[0].target}


def test_several_edges_are_refused() -> None:
    with pytest.raises(ScenarioError, match="links lead to an edge"):
        with_access(load_topology("metro-200"), GRID[0])


def test_every_point_is_drawn(tmp_path: Path) -> None:
    plot([replace(point, simulated_s=0.3, emulated_s=0.31) for point in GRID], tmp_path / "f.png")
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
