"""Intervals over independent values, against scipy and against how often they cover the truth."""

from math import inf, isnan, nan

import numpy as np
import pytest
from scipy import stats

from experiments.statistics.estimates import Estimate, estimate, quantile_of, unbounded


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("count", [2, 3, 10, 40])
def test_the_interval_is_students(count: int, confidence: float) -> None:
    values = np.random.default_rng(count).normal(3.0, 2.0, count)
    low, high = stats.t.interval(confidence, count - 1, values.mean(), stats.sem(values))
    found = estimate(list(values), confidence)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.half_width == pytest.approx((high - low) / 2)
    assert found.relative_half_width == pytest.approx((high - low) / 2 / abs(values.mean()))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    samples = np.random.default_rng(20261121).normal(5.0, 1.0, (4000, 6))
    intervals = [estimate(list(sample), 0.9) for sample in samples]
    covered = np.mean([found.low <= 5.0 <= found.high for found in intervals])
    assert covered == pytest.approx(0.9, abs=0.015)


def test_equal_values_have_no_spread() -> None:
    assert estimate([2.0, 2.0, 2.0]) == Estimate(2.0, 2.0, 2.0)


@pytest.mark.parametrize("values", [[4.0], [1.0, inf], [inf, inf]])
def test_there_is_no_interval_for_one_value_or_an_infinite_mean(values: list[float]) -> None:
    found = estimate(values)
    assert found.mean == np.mean(values)
    assert isnan(found.low)
    assert isnan(found.high)
    assert found.method == ""


def test_a_mean_of_nothing_has_no_relative_width() -> None:
    assert isnan(Estimate(0.0, -1.0, 1.0).relative_half_width)
    assert isnan(unbounded(nan).relative_half_width)


@pytest.mark.parametrize(
    ("quantile", "value"), [(0.5, 3.0), (0.75, 4.0), (0.76, 5.0), (0.99, 5.0), (0.01, 2.0)]
)
def test_a_quantile_is_one_of_the_values_and_the_higher_of_two(
    quantile: float, value: float
) -> None:
    assert quantile_of([5.0, 1.0, 3.0, 2.0, 4.0], quantile) == value


def test_a_quantile_may_be_infinite_and_that_of_nothing_is_none() -> None:
    assert quantile_of([1.0, 2.0, inf], 0.99) == inf
    assert quantile_of([1.0, 2.0, inf], 0.5) == 2.0
    assert isnan(quantile_of([], 0.5))


@pytest.mark.parametrize("quantile", [0.0, 0.01, 0.5, 0.95, 0.99, 1.0])
def test_an_order_statistic_is_numpys_higher_one(quantile: float) -> None:
    rng = np.random.default_rng(3)
    for count in (1, 2, 3, 80, 100, 101, 1000):
        values = rng.exponential(size=count)
        assert quantile_of(values, quantile) == np.quantile(values, quantile, method="higher")
