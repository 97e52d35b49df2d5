"""Growth of a backlog: 0 for what keeps up, its rate for what does not."""

import numpy as np
import pytest
from scipy import stats

from experiments.statistics.backlog import growth, lower_bounds

ARRIVALS_S = np.arange(1000.0)


def test_what_keeps_up_has_no_growth() -> None:
    assert growth(ARRIVALS_S, ARRIVALS_S + 0.5) == pytest.approx(np.zeros(10))
    assert growth(ARRIVALS_S, ARRIVALS_S + 50.0) == pytest.approx(np.zeros(10))


def test_what_completes_four_of_five_grows_by_a_fifth() -> None:
    served_s = np.arange(1, 1001) * 1.25
    assert growth(ARRIVALS_S, served_s) == pytest.approx(np.full(10, 0.2), abs=0.03)


def test_what_completes_nothing_grows_by_all() -> None:
    assert growth(ARRIVALS_S, np.full(1000, 1e9)) == pytest.approx(np.ones(10))


def test_the_order_of_the_requests_is_no_matter() -> None:
    shuffled = np.random.default_rng(1).permutation(1000)
    served_s = np.arange(1, 1001) * 1.25
    assert growth(ARRIVALS_S[shuffled], served_s) == pytest.approx(growth(ARRIVALS_S, served_s))


def test_too_few_requests_say_nothing() -> None:
    assert len(growth(ARRIVALS_S[:199], ARRIVALS_S[:199])) == 0
    assert len(growth(ARRIVALS_S[:200], ARRIVALS_S[:200])) == 10


def test_the_bounds_are_students() -> None:
    values = np.random.default_rng(1).normal(3, 1, (8, 2))
    exact = values.mean(axis=0) - stats.t.ppf(0.99, 7) * stats.sem(values)
    assert lower_bounds(values, 0.99) == pytest.approx(exact)
