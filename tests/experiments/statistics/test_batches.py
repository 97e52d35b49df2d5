"""Batch means of M/M/1 waits cover the exact figures as often as they say; naive ones do not."""

from math import inf, isinf, isnan, sqrt

import numpy as np
import pytest
from scipy import stats

from experiments.statistics.batches import batch_mean, batch_quantile, batching
from experiments.statistics.estimates import Estimate, estimate
from tests.experiments.statistics.conftest import mm1_mean, mm1_quantile, mm1_waits

RUNS = 400


def series(count: int, load: float) -> list[np.ndarray]:
    rng = np.random.default_rng(20261121)
    return [mm1_waits(rng, count, load) for _ in range(RUNS)]


def coverage(intervals: list[Estimate], truth: float) -> float:
    return float(np.mean([found.low <= truth <= found.high for found in intervals]))


@pytest.mark.parametrize(("count", "load"), [(5000, 0.5), (20_000, 0.8)])
def test_the_interval_of_the_mean_wait_covers_it(count: int, load: float) -> None:
    runs = series(count, load)
    assert coverage([batch_mean(run) for run in runs], mm1_mean(load)) > 0.92
    assert coverage([batch_mean(run) for run in runs], 1.25 * mm1_mean(load)) < 0.8
    naive = coverage([estimate(run) for run in runs], mm1_mean(load))
    assert naive < 0.6  # what comes of taking correlated requests for independent ones


@pytest.mark.parametrize(
    ("count", "load", "quantile"), [(2000, 0.5, 0.8), (5000, 0.5, 0.95), (20_000, 0.8, 0.95)]
)
def test_the_interval_of_a_quantile_covers_it(count: int, load: float, quantile: float) -> None:
    truth = mm1_quantile(load, quantile)
    found = [batch_quantile(run, quantile) for run in series(count, load)]
    assert coverage(found, truth) > 0.92
    assert coverage(found, 2 * truth) < 0.8


def test_a_tail_that_the_run_is_too_short_for_has_no_upper_bound() -> None:
    """A bound is missing, rather than wrong: what there is of the interval still covers."""
    found = [batch_quantile(run, 0.99) for run in series(1000, 0.5)]
    assert np.mean([isinf(each.high) for each in found]) > 0.8
    assert not any(isinf(each.low) for each in found)
    assert coverage(found, mm1_quantile(0.5, 0.99)) > 0.85
    longer = [batch_quantile(run, 0.99) for run in series(20_000, 0.5)]
    assert np.mean([isinf(each.high) for each in longer]) < 0.05


def test_confidence_widens_the_interval() -> None:
    (run, *_) = series(2000, 0.5)
    assert batch_mean(run, 0.99).half_width > 1.2 * batch_mean(run, 0.9).half_width
    assert batch_quantile(run, 0.8, 0.99).half_width > batch_quantile(run, 0.8, 0.9).half_width


def test_independent_values_are_cut_into_twenty_batches_of_which_the_first_are_left_over() -> None:
    values = np.concatenate([[1e9] * 7, np.random.default_rng(1).normal(0, 1, 400)])
    cut = batching(values)
    assert cut is not None
    assert (len(cut.means), cut.size, cut.correlated) == (20, 20, False)
    assert cut.means == pytest.approx(values[7:].reshape(20, 20).mean(axis=1))


def test_correlated_batches_are_made_twice_as_long_and_said_to_be_so_if_that_will_not_do() -> None:
    trend = batching(np.arange(4000.0))
    assert trend is not None
    assert (len(trend.means), trend.size, trend.correlated) == (10, 400, True)
    assert trend.lag_1 == pytest.approx(0.7)
    assert trend.standard_error == pytest.approx(
        np.std(trend.means, ddof=1) / sqrt(10) * sqrt(1.7 / 0.3)
    )


def test_the_ratio_test_errs_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(2000):
        cut = batching(rng.normal(0, 1, 200))
        assert cut is not None
        refused += len(cut.means) == 10
    assert refused / 2000 == pytest.approx(0.05, abs=0.02)


def test_the_mean_of_uncorrelated_batches_is_students() -> None:
    values = np.tile([1.0, 2.0], 10).repeat(10)
    cut = batching(values)
    assert cut is not None
    assert not cut.correlated
    assert cut.lag_1 == pytest.approx(-0.95)  # which narrows nothing
    low, high = stats.t.interval(0.95, 19, cut.means.mean(), stats.sem(cut.means))
    found = batch_mean(values)
    assert (found.low, found.high, found.method) == (
        pytest.approx(low),
        pytest.approx(high),
        "batch means",
    )


def test_equal_values_have_no_spread_whatever_their_rounding() -> None:
    found = batch_mean(np.full(500, 0.1))
    assert found.half_width == pytest.approx(0.0, abs=1e-15)
    cut = batching(np.full(500, 0.1))
    assert cut is not None
    assert not cut.correlated


@pytest.mark.parametrize("values", [[1.0] * 99, [1.0] * 500 + [inf]])
def test_too_few_values_or_infinite_ones_give_no_interval(values: list[float]) -> None:
    assert batching(values) is None
    assert isnan(batch_mean(values).low)
    assert batch_mean(values).method == ""


def test_a_quantile_that_is_infinite_has_no_interval() -> None:
    values = [1.0, 1.0, 1.0, inf] * 100
    assert batch_quantile(values, 0.99).mean == inf
    assert isnan(batch_quantile(values, 0.99).low)
    assert batch_quantile(values, 0.5) == Estimate(1.0, 1.0, 1.0, "batch means")
