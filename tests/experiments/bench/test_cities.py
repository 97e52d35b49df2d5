"""The benchmarks of scale run what they say, at a size that takes no time."""

import pytest

from experiments.bench import cities
from experiments.bench.baseline import Measurement


def test_a_city_grows_with_its_load() -> None:
    small, large = cities.city(10, 20), cities.city(100, 200)
    assert [len(city.origins) for city in (small, large)] == [10, 100]
    assert [len(city.topology.clouds) for city in (small, large)] == [10, 20]
    assert [city.workload.requests for city in (small, large)] == [20, 200]


def test_a_request_has_the_steps_that_memory_counts_on() -> None:
    assert cities.count_steps(cities.city(100, 10)) == 10 * cities.STEPS_PER_REQUEST


def test_the_curve_is_relative_to_the_smallest_city() -> None:
    points = [
        Measurement("steps_metro_10", 1e5, "steps/s", 1e6, 0.1),
        Measurement("flows_star_10", 7.0, "completions/s", 1e6, 0.1),
        Measurement("steps_metro_100", 0.5e5, "steps/s", 1e6, 0.05),
    ]
    lines = cities.growth(points)
    assert [line.split()[:4] for line in lines] == [
        ["10", "edges", "10.0", "us"],
        ["100", "edges", "20.0", "us"],
    ]
    assert ["x 1.00" in lines[0], "x 2.00" in lines[1]] == [True, True]


@pytest.mark.long
def test_a_run_ten_times_as_long_needs_next_to_no_more_memory() -> None:
    short, long = cities.peak_mib(40_000), cities.peak_mib(400_000)
    assert long < 1024
    assert long < short + 100  # whole traces and their tables would need 200 MiB more
