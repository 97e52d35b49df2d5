import numpy as np
import pytest

from workloads.errors import WorkloadError
from workloads.llama.acceptance import NEVER, Independent, Replayed

CHECKS = 20_000


def drawn(acceptance, most, checks=CHECKS):
    rng = np.random.default_rng(1)
    return np.array([acceptance.kept(most, turn, rng) for turn in range(checks)])


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("most", [1, 2, 5])
def test_as_many_guesses_hold_on_average_as_leviathan_has_it(probability, most):
    acceptance, found = Independent(probability), drawn(Independent(probability), most)
    formula = most if probability == 1 else (1 - probability**most) / (1 - probability)
    assert acceptance.expected(most) == pytest.approx(formula)
    error = found.std() / CHECKS**0.5
    assert abs(found.mean() - formula) <= 4 * error
    assert (found.min() >= 1) & (found.max() <= most)


def test_a_guess_holds_as_often_wherever_it_stands_if_all_before_it_do():
    found = drawn(Independent(0.6), 4)
    for place in (1, 2, 3):
        reached, held = (found >= place).sum(), (found >= place + 1).sum()
        assert held / reached == pytest.approx(0.6, abs=0.02)


def test_without_a_word_no_guess_holds():
    assert set(drawn(NEVER, 5, 100)) == {1}
    assert NEVER.expected(5) == 1


def test_what_was_measured_comes_over_and_over_as_far_as_there_are_guesses():
    measured = Replayed((1, 5, 2))
    assert drawn(measured, 5, 7).tolist() == [1, 5, 2, 1, 5, 2, 1]
    assert drawn(measured, 3, 4).tolist() == [1, 3, 2, 1]
    assert measured.expected(5) == pytest.approx(8 / 3)
    assert measured.expected(3) == 2


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_a_probability_that_is_none_is_an_error(probability):
    with pytest.raises(WorkloadError, match=r"text\.acceptance: .*; give 0 to 1"):
        Independent(probability)


@pytest.mark.parametrize("tokens", [(), (1, 0), (-2,)])
def test_a_check_that_no_token_comes_of_is_an_error(tokens):
    with pytest.raises(WorkloadError, match=r"text\.acceptance: .*each at least 1"):
        Replayed(tokens)
