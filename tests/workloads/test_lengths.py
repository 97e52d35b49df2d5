import numpy as np
import pytest

from workloads.errors import WorkloadError
from workloads.lengths import Lognormal, Uniform


def drawn(lengths, count=20_000):
    return lengths.draw(np.random.default_rng(5), count)


def test_uniform_numbers_include_both_ends_equally_often():
    values, counts = np.unique(drawn(Uniform(3, 6)), return_counts=True)
    assert values.tolist() == [3, 4, 5, 6]
    assert counts == pytest.approx(5000, rel=0.05)


def test_lognormal_numbers_have_the_mean_and_the_spread_asked_for():
    values = drawn(Lognormal(200.0, 0.5, 100_000))
    assert values.mean() == pytest.approx(200.0, rel=0.01)
    assert values.std() / values.mean() == pytest.approx(0.5, rel=0.03)


def test_numbers_are_whole_and_within_bounds():
    values = drawn(Lognormal(2.0, 3.0, 10))
    assert values.min() == 1
    assert values.max() == 10
    assert values.dtype == np.int64
    assert Lognormal(2.0, 3.0, 10).most == Uniform(1, 10).most == 10


@pytest.mark.parametrize("make", [lambda: Uniform(0, 4), lambda: Uniform(5, 4)])
def test_an_impossible_range_is_an_error(make):
    with pytest.raises(WorkloadError, match="give 1 <= low <= high"):
        make()


@pytest.mark.parametrize(
    "make",
    [lambda: Lognormal(0.5, 1, 9), lambda: Lognormal(5, 0, 9), lambda: Lognormal(5, 1, 0)],
)
def test_an_impossible_shape_is_an_error(make):
    with pytest.raises(WorkloadError, match="lognormal: mean"):
        make()
