"""Noise and privacy, against dp-accounting and against the definition."""

from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import WorkloadError
from workloads.privacy import Noise, epsilon_of, log_delta, noise_for, reconstruction_bound


@pytest.mark.parametrize("delta", [1e-9, 1e-5, 1e-2])
@pytest.mark.parametrize("epsilon", [0.01, 0.5, 1.0, 4.0, 8.0, 20.0])
def test_the_calibration_is_that_of_dp_accounting(epsilon, delta):
    dp = pytest.importorskip("dp_accounting", reason="pip install 'tessera[lab]'")
    expected = 2 * dp.get_sigma_gaussian(epsilon, delta)
    assert noise_for(epsilon, delta, 1.0).sigma == pytest.approx(expected, rel=1e-6)
    assert noise_for(epsilon * 1.001, delta, 1.0).sigma != pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("epsilon", "ratio"), [(1, 3.731), (4, 1.081), (8, 0.600)])
def test_the_calibration_is_that_of_the_design(epsilon, ratio):
    noise = noise_for(epsilon, 1e-5, 0.7)
    assert noise.sigma / noise.sensitivity == pytest.approx(ratio, abs=5e-4)
    assert noise.sensitivity == 1.4


@given(epsilon=st.floats(1e-3, 1e4), delta=st.floats(1e-12, 0.5), clip=st.floats(1e-3, 1e3))
def test_the_promise_is_kept_and_nothing_is_wasted(epsilon, delta, clip):
    mu = noise_for(epsilon, delta, clip).mu
    assert log_delta(mu, epsilon) == pytest.approx(log(delta), abs=1e-6)
    assert epsilon_of(mu, delta) == pytest.approx(epsilon, rel=1e-6, abs=1e-6)


def test_delta_is_what_the_definition_says():
    """δ = ∫ max(p(x) − e^ε·p(x − Δ), 0) dx, summed numerically."""
    x, step = np.linspace(-15, 17, 2_000_001, retstep=True)
    ours, theirs = np.exp(-(x**2) / 2), np.exp(-((x - 1.5) ** 2) / 2)
    for epsilon in (0.5, 2.0):
        excess = np.maximum(theirs - exp(epsilon) * ours, 0).sum() * step / np.sqrt(2 * np.pi)
        assert log_delta(1.5, epsilon) == pytest.approx(log(excess), abs=1e-6)


def test_without_noise_there_is_no_privacy_and_with_nothing_to_tell_no_loss():
    assert epsilon_of(inf, 1e-5) == inf
    assert epsilon_of(0.0, 1e-5) == 0.0
    assert epsilon_of(1e-9, 1e-5) == 0.0


def test_the_reconstruction_bound_is_met_by_the_best_test_and_by_no_worse_one():
    """Of two images, one drawn with probability κ, a threshold on the release is best."""
    mu, chance = 1.3, 0.1
    draws = np.random.default_rng(0).standard_normal(400_000)
    threshold = np.quantile(draws, 1 - chance)  # taken for a success in κ of cases by chance
    success = np.mean(draws + mu > threshold)
    assert reconstruction_bound(mu, chance) == pytest.approx(success, abs=4e-3)
    assert reconstruction_bound(1.1 * mu, chance) != pytest.approx(success, abs=4e-3)
    assert reconstruction_bound(inf, chance) == 1.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((0.0, 1e-5, 1.0), "epsilon: 0.0; give a number above 0"),
        ((-1.0, 1e-5, 1.0), "epsilon: -1.0"),
        ((1e7, 1e-5, 1.0), "epsilon: 10000000.0; .* at most 1e6"),
        ((float("nan"), 1e-5, 1.0), "epsilon: nan"),
        ((1.0, 0.0, 1.0), "delta: 0.0; give"),
        ((1.0, 1.0, 1.0), "delta: 1.0; give"),
        ((1.0, 1e-5, 0.0), "clip: 0.0; give a norm above 0"),
        ((1.0, 1e-5, inf), "clip: inf"),
    ],
)
def test_impossible_promises_are_refused(parameters, message):
    with pytest.raises(WorkloadError, match=message):
        noise_for(*parameters)


def test_noise_needs_both_its_numbers():
    with pytest.raises(WorkloadError, match="sigma: 0; give a number above 0"):
        Noise(1.0, 0)
    with pytest.raises(WorkloadError, match="chance: 2"):
        reconstruction_bound(1.0, 2)
