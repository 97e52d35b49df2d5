import numpy as np
import pytest

from sim.emissions import emitted_g, mean_g_per_kwh
from topologies.carbon import CarbonIntensity

DAY = CarbonIntensity((100.0, 400.0), (0.0, 6.0), 10.0, "a test")
FLAT = CarbonIntensity((50.0,), source="a test")


@pytest.mark.parametrize(
    ("start_s", "end_s", "mean"),
    [
        (0.0, 6.0, 100.0),
        (4.0, 8.0, 250.0),
        (0.0, 10.0, 220.0),
        (8.0, 12.0, 250.0),  # over the end of the period
        (0.0, 100.0, 220.0),
        (7.0, 7.0, 400.0),  # no time: the value there
        (20.0, 20.0, 100.0),
    ],
)
def test_the_mean_of_a_repeating_step_function(start_s: float, end_s: float, mean: float) -> None:
    found = mean_g_per_kwh(DAY, np.array([start_s]), np.array([end_s]))
    assert found == pytest.approx([mean])


def test_the_last_step_holds_for_ever_without_a_period() -> None:
    once = CarbonIntensity((100.0, 400.0), (0.0, 6.0), source="a test")
    assert mean_g_per_kwh(once, np.array([1e6]), np.array([2e6])) == pytest.approx([400.0])


@pytest.mark.parametrize("when_s", [0.0, 5.9, 6.0, 9.9, 10.0, 16.5])
def test_the_mean_of_a_moment_is_the_value_there(when_s: float) -> None:
    assert mean_g_per_kwh(DAY, np.array([when_s]), np.array([when_s])) == DAY.at(when_s)


def test_a_step_may_draw_from_several_grids_and_from_none() -> None:
    grids = [((DAY, 3.6e6),), ((DAY, 1.8e6), (FLAT, 3.6e6)), ()]
    kinds, factor = np.array([1, 0, 2, 1]), np.array([1.0, 2.0, 5.0, 0.0])
    start_s, end_s = np.zeros(4), np.array([10.0, 6.0, 1.0, 1.0])
    found = emitted_g(grids, kinds, factor, start_s, end_s)
    assert found == pytest.approx([0.5 * 220 + 50, 2 * 100, 0.0, 0.0])
