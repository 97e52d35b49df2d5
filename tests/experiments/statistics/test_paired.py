"""Paired differences on common random numbers, and Holm's correction, by hand and by chance."""

from math import inf, isnan, nan

import numpy as np
import pytest
from scipy import stats

from experiments.statistics.estimates import estimate
from experiments.statistics.paired import holm, paired_difference
from tests.experiments.statistics.conftest import mm1_waits


def test_the_interval_and_the_p_value_are_scipys() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = rng.normal(1.3, 1, 12), rng.normal(1, 1, 12)
    found, p = paired_difference(list(ours), list(theirs))
    exact = stats.ttest_rel(ours, theirs)
    interval = exact.confidence_interval(0.95)
    assert p == pytest.approx(exact.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_common_random_numbers_make_the_interval_narrower_than_independent_ones() -> None:
    """A server 10 % faster, which the same arrivals and jobs show, and others hide."""

    def wait(seed: int, load: float) -> float:
        return float(mm1_waits(np.random.default_rng(seed), 2000, load).mean()) * load

    slow = [wait(seed, 0.6) for seed in range(12)]
    fast = [wait(seed, 0.55) for seed in range(12)]
    others = [wait(seed, 0.55) for seed in range(100, 112)]
    paired, p = paired_difference(fast, slow)
    unpaired, _ = paired_difference(others, slow)
    assert paired.half_width < 0.5 * unpaired.half_width
    assert p < 0.001
    assert paired.high < 0


def test_the_interval_covers_a_known_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    covered = detected = 0
    for _ in range(2000):
        shared = rng.normal(0, 5, 8)
        found, p = paired_difference(
            list(shared + 1 + rng.normal(0, 0.5, 8)), list(shared + rng.normal(0, 0.5, 8))
        )
        covered += found.low <= 1.0 <= found.high
        detected += p < 0.05
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)
    assert detected / 2000 > 0.9


def test_no_difference_is_found_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(4)
    found = [paired_difference(*rng.normal(0, 1, (2, 6)).tolist())[1] < 0.05 for _ in range(3000)]
    assert np.mean(found) == pytest.approx(0.05, abs=0.015)


def test_values_without_spread_differ_surely_or_not_at_all() -> None:
    assert paired_difference([2.0, 3.0], [1.0, 2.0])[1] == 0.0
    found, p = paired_difference([2.0, 3.0], [2.0, 3.0])
    assert (found, p) == (estimate([0.0, 0.0]), 1.0)
    assert paired_difference([0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2])[1] == 1.0  # rounding is no proof


def test_pairs_that_lack_a_value_are_left_out() -> None:
    found, _ = paired_difference([1.0, nan, 3.0, 4.0], [0.0, 1.0, inf, 2.0])
    assert found == estimate([1.0, 2.0])
    nothing, p = paired_difference([1.0, nan], [0.0, 1.0])
    assert isnan(p)
    assert isnan(nothing.mean)


def test_holm_by_hand() -> None:
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1, none below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_holm_does_not_count_questions_without_an_answer() -> None:
    first, second, third = holm([0.01, nan, 0.04])
    assert (first, third) == pytest.approx((0.02, 0.04))
    assert isnan(second)


def test_holm_keeps_the_chance_of_any_error_below_the_level() -> None:
    p = np.random.default_rng(6).random((4000, 5))
    wrong = np.mean([min(holm(row.tolist())) < 0.05 for row in p])
    assert wrong == pytest.approx(0.05, abs=0.012)
    assert np.mean(p.min(axis=1) < 0.05) > 0.2  # uncorrected
