"""The verdict's bounds against scipy and against simulated truth."""

from math import inf, isnan, sqrt

import numpy as np
import pytest
from scipy import stats

from experiments.saturation import Saturation
from experiments.verdict import Answer, judge
from tests.experiments.statistics.conftest import mm1_quantile, mm1_waits

DEADLINE_S = 1.0


def latencies(met: int, missed: int) -> list[float]:
    """Return latencies of which ``met`` are within the deadline, in random order."""
    ordered = [0.5] * met + [2.0] * missed
    shuffled: list[float] = np.random.default_rng(met).permutation(ordered).tolist()
    return shuffled


@pytest.mark.parametrize(("met", "missed"), [(0, 20), (1, 19), (95, 4), (98, 1), (300, 0)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_of_one_replication_too_short_to_cut_the_bounds_are_clopper_and_pearsons(
    met: int, missed: int, confidence: float
) -> None:
    count = met + missed
    found = judge([latencies(met, missed)], DEADLINE_S, 0.9, confidence).met
    both_sides = 1 - 2 * (1 - confidence)
    exact = stats.binomtest(met, count).proportion_ci(both_sides, method="exact")
    assert found.mean == met / count
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_of_one_replication_whose_misses_come_together_the_bounds_are_wider() -> None:
    apart = judge([latencies(950, 50)], DEADLINE_S, 0.9, 0.95).met
    together = judge([sorted(latencies(950, 50))], DEADLINE_S, 0.9, 0.95).met
    assert together.mean == apart.mean == 0.95
    assert together.low < 0.9 < apart.low


def test_one_long_replication_errs_no_more_often_than_it_says_although_it_is_correlated() -> None:
    truth = mm1_quantile(0.5, 0.95)
    rng = np.random.default_rng(3)
    runs = [mm1_waits(rng, 4000, 0.5) for _ in range(300)]
    found = [judge([run], truth, 0.95, 0.9) for run in runs]
    assert np.mean([each.answer is not Answer.UNDECIDED for each in found]) < 0.25
    exact = [stats.binomtest(int(sum(run <= truth)), 4000).proportion_ci(0.8) for run in runs]
    assert np.mean([not each.low < 0.95 < each.high for each in exact]) > 0.35


def test_without_a_steady_state_every_deadline_is_missed() -> None:
    flooded = Saturation("edge", 1.2, 0.1, "edge is offered 120% of what it can do")
    steady = Saturation("edge", 0.8, 0.0, "")
    runs = [latencies(1000, 0)]
    assert judge(runs, DEADLINE_S, 0.99, 0.95, steady).answer is Answer.HOLDS
    assert judge(runs, DEADLINE_S, 0.99, 0.95, flooded).answer is Answer.MISSED


def test_of_unlike_replications_the_bounds_are_students() -> None:
    spread_out = [latencies(100, 0), latencies(60, 40), latencies(90, 10), latencies(50, 50)]
    fractions = np.array([1.0, 0.6, 0.9, 0.5])
    margin = stats.t.ppf(0.95, 3) * fractions.std(ddof=1) / sqrt(4)
    found = judge(spread_out, DEADLINE_S, 0.5, 0.95).met
    assert found.low == pytest.approx(0.75 - margin)
    assert found.high == pytest.approx(min(1.0, 0.75 + margin))


def test_of_like_replications_the_wider_bounds_count() -> None:
    alike = [latencies(95, 5)] * 4
    exact = stats.binomtest(380, 400).proportion_ci(0.9, method="exact")
    found = judge(alike, DEADLINE_S, 0.9, 0.95).met
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_bounds_are_fractions_however_few_and_unlike_the_replications() -> None:
    found = judge([latencies(10, 0), latencies(0, 10)], DEADLINE_S, 0.5, 0.95).met
    assert (found.low, found.high) == (0.0, 1.0)


@pytest.mark.parametrize(("truth", "confidence"), [(0.95, 0.95), (0.99, 0.9), (0.5, 0.9)])
def test_each_bound_errs_no_more_often_than_it_says(truth: float, confidence: float) -> None:
    rng = np.random.default_rng(20261121)
    verdicts = [
        judge([latencies(met, 200 - met)], DEADLINE_S, truth, confidence).met
        for met in rng.binomial(200, truth, 2000)
    ]
    slack = 3 * sqrt(confidence * (1 - confidence) / 2000)
    assert np.mean([found.low <= truth for found in verdicts]) >= confidence - slack
    assert np.mean([found.high >= truth for found in verdicts]) >= confidence - slack


def test_correlated_requests_do_not_make_it_sure() -> None:
    """Replications that are all good or all bad count as few samples, not as many."""
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(500):
        good = rng.random(8) < 0.8
        runs = [latencies(100, 0) if each else latencies(0, 100) for each in good]
        found = judge(runs, DEADLINE_S, 0.8, 0.9)
        wrong += found.met.low > 0.8 or found.met.high < 0.8
    assert wrong / 500 < 0.3  # Clopper and Pearson's alone would err in about nine of ten


@pytest.mark.parametrize(
    ("met", "missed", "answer"),
    [
        (298, 0, Answer.UNDECIDED),
        (299, 0, Answer.HOLDS),
        (299, 1, Answer.UNDECIDED),
        (0, 1, Answer.MISSED),
        (80, 20, Answer.MISSED),
        (97, 3, Answer.UNDECIDED),
    ],
)
def test_the_answer_needs_the_bound_beyond_the_quantile(
    met: int, missed: int, answer: Answer
) -> None:
    found = judge([latencies(met, missed)], DEADLINE_S, 0.99, 0.95)
    assert found.answer is answer
    assert found.samples == met + missed
    assert found.samples_needed == 299


@pytest.mark.parametrize(
    ("quantile", "confidence", "needed"),
    [(0.99, 0.95, 299), (0.95, 0.95, 59), (0.5, 0.95, 5), (0.999, 0.99, 4603)],
)
def test_as_many_samples_as_it_says_are_needed(
    quantile: float, confidence: float, needed: int
) -> None:
    enough = judge([latencies(needed, 0)], DEADLINE_S, quantile, confidence)
    too_few = judge([latencies(needed - 1, 0)], DEADLINE_S, quantile, confidence)
    assert enough.samples_needed == needed
    assert (enough.answer, too_few.answer) == (Answer.HOLDS, Answer.UNDECIDED)


def test_a_deadline_met_exactly_is_met() -> None:
    assert judge([[DEADLINE_S] * 400], DEADLINE_S, 0.99, 0.95).answer is Answer.HOLDS


def test_a_failed_request_misses_every_deadline() -> None:
    found = judge([[0.5] * 50 + [inf] * 50, [0.5] * 60 + [inf] * 40, [0.5] * 100], 1e12, 0.5, 0.95)
    assert found.met.mean == pytest.approx(0.7)
    found = judge([[0.5] * 50 + [inf] * 50, [0.5] * 60 + [inf] * 40], 1e12, 0.99, 0.95)
    assert found.answer is Answer.MISSED
    assert found.quantile_s.mean == inf
    assert isnan(found.quantile_s.low)


def test_exit_statuses_are_those_promised() -> None:
    assert [answer.value for answer in Answer] == [0, 1, 3]
