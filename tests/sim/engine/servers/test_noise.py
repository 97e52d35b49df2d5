import numpy as np
import pytest

from sim.engine.servers.noise import Empirical, Lognormal


def test_lognormal_factors_have_mean_one_and_the_stated_variation():
    noise = Lognormal(0.3, np.random.default_rng(1))
    factors = [noise.factor() for _ in range(100_000)]
    assert np.mean(factors) == pytest.approx(1.0, abs=0.005)
    assert np.std(factors) == pytest.approx(0.3, abs=0.005)
    assert min(factors) > 0


def test_empirical_factors_are_those_of_the_table_equally_often():
    noise = Empirical((0.5, 1.0, 4.0), np.random.default_rng(1))
    drawn = [noise.factor() for _ in range(30_000)]
    counts = [drawn.count(factor) / len(drawn) for factor in (0.5, 1.0, 4.0)]
    assert set(drawn) == {0.5, 1.0, 4.0}
    assert counts == pytest.approx([1 / 3] * 3, abs=0.01)
