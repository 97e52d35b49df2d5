"""The benchmarks measure what they say, at a size that takes no time."""

import json

import pytest

from experiments.bench import flows
from experiments.bench.__main__ import write
from experiments.bench.baseline import Measurement, measure, timeouts_per_s


@pytest.mark.parametrize("build", [flows.star, flows.metro])
def test_a_closed_loop_completes_all_its_flows(build, monkeypatch):
    monkeypatch.setattr(flows, "FLOWS", 100)
    loop = build(4)
    assert [len(slot) for slot in loop.slots] == [25] * 4
    assert flows.run(loop) == 100


def test_bursts_complete_all_their_flows():
    assert flows.run_bursts([[1e5] * 16] * 3) == 48


def test_loops_have_the_links_of_the_reference_files():
    assert flows.star(10).capacities_bytes_per_s == (12.5e6, 6.25e6, 3.75e6, 2.5e6, 25e6)
    assert flows.metro(10).capacities_bytes_per_s[:6] == (50e6, 6.25e6, 3.75e6, 2.5e6, 25e6, 1.25e6)
    assert flows.metro(10).slots[3][0][0][:2] == (8, 0)


def test_a_measurement_is_a_ratio_to_the_baseline():
    one = measure("work", "units/s", 1000.0, lambda: 5, repeats=2)
    assert one.ratio == one.value / 1000.0
    assert timeouts_per_s(events=1000, repeats=1) > 0


def test_results_are_written_by_name(tmp_path):
    path = tmp_path / "new" / "latest.json"
    write([Measurement("one", 2.0, "units/s", 4.0, 0.5)], path)
    assert json.loads(path.read_text()) == {
        "one": {"value": 2.0, "unit": "units/s", "baseline": 4.0, "ratio": 0.5}
    }
    assert [entry.name for entry in path.parent.iterdir()] == ["latest.json"]
