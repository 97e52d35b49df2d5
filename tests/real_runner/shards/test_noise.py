"""Discrete Gaussian noise, against its exact distribution and against naive noise."""

from math import ceil, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

pytest.importorskip("cryptography", reason="pip install 'tessera[real]'")

from real_runner.shards.noise import (
    cryptographic,
    discrete_gaussian,
    on_lattice,
    privatised,
    quantum,
    seeded,
)
from workloads.privacy import log_delta, noise_for
from workloads.sam.stages import WORDS_PER_NUMBER


def pmf(sigma: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    support = np.arange(-most, most + 1)
    weights = np.exp(-(support**2) / (2 * sigma**2))
    return support, weights / weights.sum()


def chi_square(drawn: np.ndarray, sigma: float) -> float:
    """Return the p-value of drawn integers under the discrete Gaussian of this σ."""
    support, probabilities = pmf(sigma, ceil(12 * sigma))
    expected = probabilities * len(drawn)
    counts = np.bincount(drawn - support[0], minlength=len(support))
    many = expected >= 10
    statistic = ((counts[many] - expected[many]) ** 2 / expected[many]).sum()
    rest = expected[~many].sum()
    statistic += (counts[~many].sum() - rest) ** 2 / rest
    return float(chi2.sf(statistic, many.sum()))


@pytest.mark.parametrize("sigma", [1, 2, 7, 40])
def test_frequencies_are_those_of_the_exact_distribution(sigma):
    drawn = discrete_gaussian(200_000, sigma, seeded(sigma))
    assert chi_square(drawn, sigma) > 1e-3
    assert chi_square(drawn, 1.02 * sigma) < 1e-6


def test_a_rounded_continuous_gaussian_is_another_distribution():
    """What the test of frequencies can tell apart: at σ = 1 rounding makes the variance larger."""
    rounded = np.rint(np.random.default_rng(0).standard_normal(200_000)).astype(np.int64)
    assert chi_square(rounded, 1) < 1e-6


@pytest.mark.parametrize("sigma", [1, 1024, 1999])
def test_moments_are_those_of_the_exact_distribution(sigma):
    count = 300_000
    drawn = discrete_gaussian(count, sigma, seeded(5))
    support, probabilities = pmf(sigma, 12 * sigma)
    second, fourth = ((support.astype(float) ** k * probabilities).sum() for k in (2, 4))
    assert abs(drawn.mean()) < 5 * sqrt(second / count)
    assert abs((drawn.astype(float) ** 2).mean() - second) < 5 * sqrt((fourth - second**2) / count)
    wrong = 1.05 * second
    assert abs((drawn.astype(float) ** 2).mean() - wrong) > 5 * sqrt((fourth - second**2) / count)


def test_neighbouring_draws_have_nothing_to_do_with_each_other():
    drawn = discrete_gaussian(200_000, 1024, seeded(2)).astype(float)
    for lag in (1, 2, 192):
        assert abs(np.corrcoef(drawn[:-lag], drawn[lag:])[0, 1]) < 5 / sqrt(len(drawn))


def test_cryptographic_noise_is_gaussian_and_never_the_same():
    one, two = discrete_gaussian(50_000, 1024), discrete_gaussian(50_000, 1024)
    assert not np.array_equal(one, two)
    assert kstest(one / 1024, "norm").pvalue > 1e-4
    assert not np.array_equal(cryptographic(4), cryptographic(4))


def test_seeded_noise_is_the_same_again():
    assert np.array_equal(
        discrete_gaussian(999, 50, seeded(1)), discrete_gaussian(999, 50, seeded(1))
    )
    assert not np.array_equal(
        discrete_gaussian(999, 50, seeded(1)), discrete_gaussian(999, 50, seeded(2))
    )


def test_another_implementation_draws_the_same_distribution():
    dp = pytest.importorskip("opendp.prelude", reason="pip install opendp")
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    theirs = np.array(dp.m.make_gaussian(*space, scale=3.0)([0] * 20_000))
    assert chi_square(theirs, 3) > 1e-4
    assert chi_square(discrete_gaussian(20_000, 3, seeded(8)), 3) > 1e-4


def impossible(release: np.ndarray, other: np.float32, noise: np.ndarray) -> np.ndarray:
    """Whether no noise in single precision near what is missing leads from ``other`` there."""
    missing = (release - other).astype(np.float32)
    reached = np.zeros(len(release), bool)
    candidate = missing
    for _ in range(2):
        candidate = np.nextafter(candidate, np.float32(-np.inf))
    for _ in range(5):
        reached |= (other + candidate).astype(np.float32) == release
        candidate = np.nextafter(candidate, np.float32(np.inf))
    return ~reached & np.isfinite(noise)


def test_releases_in_single_precision_tell_inputs_apart_and_those_on_the_lattice_do_not():
    """Some of 0 + noise is no number that 1 + noise can be; on a lattice there is no such thing."""
    generator = np.random.default_rng(0)
    noise = generator.standard_normal(20_000).astype(np.float32)
    naive = np.float32(0) + noise
    assert impossible(naive, np.float32(1), noise).mean() > 0.05

    step = quantum(1.0)
    ours = privatised(np.zeros((20_000, 1)), 1.0, 1.0, seeded(0)).ravel()
    from_one = on_lattice(np.ones((1, 1)), 1.0, step)[0, 0]
    needed = ours / step - from_one
    assert (needed == np.rint(needed)).all(), "each needs whole quanta of noise, all of them likely"
    assert not impossible(ours.astype(np.float32), np.float32(from_one * step), ours).any()


@given(
    rows=st.lists(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5), min_size=1, max_size=4),
    clip=st.floats(1e-2, 1e3),
    sigma=st.floats(1e-2, 1e3),
)
def test_clipped_and_rounded_vectors_are_never_longer_than_the_clip(rows, clip, sigma):
    """In whole numbers, so without any rounding: the sensitivity is at most 2·clip."""
    step = quantum(sigma)
    for row in on_lattice(np.array(rows), clip, step).tolist():
        assert sum(value * value for value in row) <= int((clip / step) ** 2 * (1 + 1e-15)) + 1e-9


def test_short_vectors_are_rounded_only():
    rows = np.array([[0.3, -0.4], [0.0, 0.0]])
    assert on_lattice(rows, 1.0, 2.0**-10) * 2.0**-10 == pytest.approx(rows, abs=2.0**-10)


@given(sigma=st.floats(1e-6, 1e6))
def test_the_quantum_is_a_thousandth_of_sigma(sigma):
    step = quantum(sigma)
    assert 1024 * step <= sigma < 2048 * step
    assert log(step, 2) == round(log(step, 2))


def test_the_lattice_costs_no_privacy_worth_telling():
    """δ summed over the lattice at ε, shifted by Δ in quanta, against the continuous formula."""
    for epsilon, delta in ((1.0, 1e-5), (8.0, 1e-5), (0.1, 1e-3)):
        sigma, shift = 1024, int(1024 * noise_for(epsilon, delta, 1.0).mu)
        support = np.arange(-20 * sigma, 20 * sigma + 1).astype(float)
        normal = np.exp(-(support**2) / (2 * sigma**2)).sum()
        ours = np.exp(-((support - shift) ** 2) / (2 * sigma**2)) / normal
        theirs = np.exp(-(support**2) / (2 * sigma**2)) / normal
        lattice = np.maximum(ours - np.exp(epsilon) * theirs, 0).sum()
        continuous = np.exp(log_delta(shift / sigma, epsilon))
        assert lattice == pytest.approx(continuous, rel=1e-5)


def test_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        privatised(np.array([[np.nan, 0.0]]), 1.0, 1.0)


def test_no_numbers_need_no_noise():
    assert discrete_gaussian(0, 1024).shape == (0,)


def test_a_number_takes_as_many_words_as_the_cost_model_says():
    asked = []

    def counted(count: int) -> np.ndarray:
        asked.append(count)
        return cryptographic(count)

    discrete_gaussian(200_000, 1500, counted)
    assert sum(asked) / 200_000 == pytest.approx(WORDS_PER_NUMBER, rel=0.1)
