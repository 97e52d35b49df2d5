"""Bounds against the table of the protocol, and against their definition."""

import numpy as np
import pytest
from scipy.stats import binom

from experiments.laboratory.attacks.statistics import (
    below,
    least_trials,
    proportion,
    summary,
)


@pytest.mark.parametrize(("successes", "trials"), [(0, 427), (1, 676), (2, 898), (3, 1106)])
def test_so_many_images_show_that_a_rate_is_below_seven_in_a_thousand(successes: int, trials: int):
    assert below(successes, trials) < 0.007 <= below(successes, trials - 1)
    assert least_trials(successes, 0.007) == trials
    assert binom.cdf(successes, trials, below(successes, trials)) == pytest.approx(0.05)


def test_two_sided_bounds_leave_a_fortieth_on_either_side():
    found = proportion(7, 200)
    assert found.rate == 0.035
    assert binom.cdf(7, 200, found.high) == pytest.approx(0.025)
    assert binom.sf(6, 200, found.low) == pytest.approx(0.025)
    assert found.low < found.rate < found.below < found.high


def test_what_is_no_rate_is_refused():
    for successes, trials in ((3, 2), (-1, 2), (0, 0)):
        with pytest.raises(ValueError, match="are no rate"):
            below(successes, trials)


def test_no_or_only_successes_have_bounds():
    assert proportion(0, 10).low == 0
    assert (proportion(10, 10).high, proportion(10, 10).below) == (1, 1)


def test_a_summary_looks_at_the_pictures_an_attack_does_best_on():
    found = summary(np.arange(200, dtype=np.float64))
    assert (found.mean, found.percentile_95, found.worst_1) == (99.5, 190, 198.5)
    assert summary(np.array([3.0])).worst_1 == 3
    with pytest.raises(ValueError, match="there are none"):
        summary(np.empty(0))
