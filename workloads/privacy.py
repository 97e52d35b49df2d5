"""Differential privacy by Gaussian noise: how much of it a promise takes, and what it promises.

The terms, without which no ε means anything:

- *Neighbours* are two inputs that differ in one part (of a picture: one patch, whatever it shows
  before and after). This is local privacy by replacement, not by leaving a part out.
- *Sensitivity* Δ: a part is released as a vector of norm at most ``clip``, so replacing it moves
  the release by at most Δ = 2·``clip``.
- *δ* bounds how much of the probability of any outcome may escape e^ε.
- *Composition*: independent releases of one part add up (`experiments.laboratory.
  privacy_accounting`); releases of different parts do not, as neighbours differ in one only.

Noise of standard deviation σ in every coordinate is (ε, δ)-private exactly if
δ ≥ Φ(μ/2 − ε/μ) − e^ε·Φ(−μ/2 − ε/μ), with μ = Δ/σ (Balle and Wang 2018, "Improving the Gaussian
Mechanism for Differential Privacy", arXiv 1805.06530, theorem 8). The classical formula
σ = Δ·√(2·ln(1.25/δ))/ε is no bound for ε > 1.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, expm1, inf, isfinite, log, sqrt

from workloads.errors import WorkloadError

MOST_EPSILON = 1e6
"""Beyond it the calibration loses digits, and the promise has long lost its meaning."""

LEAST_DELTA = 1e-100


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of standard deviation ``sigma`` on vectors that were clipped to norm ``clip``.

    Raises `WorkloadError` unless both are positive numbers.
    """

    clip: float
    sigma: float

    def __post_init__(self) -> None:
        for field in ("clip", "sigma"):
            value = getattr(self, field)
            if not (isfinite(value) and value > 0):
                raise WorkloadError(f"{field}: {value!r}; give a number above 0")

    @property
    def sensitivity(self) -> float:
        """How far replacing one part moves the release at most: Δ."""
        return 2 * self.clip

    @property
    def mu(self) -> float:
        """Sensitivity over standard deviation: Δ/σ, all that privacy depends on."""
        return self.sensitivity / self.sigma


def noise_for(epsilon: float, delta: float, clip: float) -> Noise:
    """Return the least noise that is (``epsilon``, ``delta``)-private.

    Raises `WorkloadError` for a parameter that promises nothing or cannot be kept.

    >>> [round(noise_for(e, 1e-5, 1.0).sigma / 2, 3) for e in (1, 4, 8)]
    [3.731, 1.081, 0.6]
    """
    if not 0 < epsilon <= MOST_EPSILON:
        raise WorkloadError(f"epsilon: {epsilon!r}; give a number above 0, at most 1e6")
    if not LEAST_DELTA <= delta < 1:
        raise WorkloadError(f"delta: {delta!r}; give a number from 1e-100 to below 1, as 1e-5")
    if not (isfinite(clip) and clip > 0):
        raise WorkloadError(f"clip: {clip!r}; give a norm above 0")
    return Noise(clip, 2 * clip / _most_mu(epsilon, delta))


def log_delta(mu: float, epsilon: float) -> float:
    """Return ln δ of the Gaussian mechanism with Δ/σ = ``mu`` at ``epsilon``.

    Worked out from logarithms, since both terms of the difference are tiny where it matters.
    """
    from scipy.special import log_ndtr  # noqa: PLC0415 - policies without noise do without

    passing = float(log_ndtr(mu / 2 - epsilon / mu))
    share = epsilon + float(log_ndtr(-mu / 2 - epsilon / mu)) - passing
    return passing + _log_one_less_exp(share)


def epsilon_of(mu: float, delta: float) -> float:
    """Return the least ε that the Gaussian mechanism with Δ/σ = ``mu`` keeps at ``delta``.

    It is 0 where even that is kept, and infinite without any noise (``mu`` infinite).

    >>> round(epsilon_of(noise_for(4, 1e-5, 1.0).mu, 1e-5), 9)
    4.0
    """
    from scipy.optimize import brentq  # noqa: PLC0415

    if mu == inf:
        return inf
    if mu == 0 or log_delta(mu, 0.0) <= log(delta):
        return 0.0
    most = 1.0
    while log_delta(mu, most) > log(delta):
        most *= 2
    return float(brentq(lambda e: log_delta(mu, e) - log(delta), 0.0, most, xtol=1e-13, rtol=1e-13))


def reconstruction_bound(mu: float, chance: float) -> float:
    """Return the most probable success of any attack that succeeds by ``chance`` without a view.

    Φ(Φ⁻¹(κ) + μ): no test tells two neighbours apart better (Dong, Roth and Su 2022, "Gaussian
    Differential Privacy", arXiv 1905.02383). It is conditional: it bounds guessing one part by who
    knows all others, for a success that chance κ was worked out for beforehand.

    >>> round(reconstruction_bound(0.0, 0.001), 6), round(reconstruction_bound(1.0, 0.001), 3)
    (0.001, 0.018)
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415

    if not 0 <= chance <= 1:
        raise WorkloadError(f"chance: {chance!r}; give a probability")
    if chance in (0, 1) or mu == inf:
        return float(chance > 0)
    return float(ndtr(ndtri(chance) + mu))


@lru_cache(maxsize=256)
def _most_mu(epsilon: float, delta: float) -> float:
    """Return the largest Δ/σ that keeps a promise; δ grows with it."""
    from scipy.optimize import brentq  # noqa: PLC0415

    def excess(log_mu: float) -> float:
        return log_delta(exp(log_mu), epsilon) - log(delta)

    low = high = log(sqrt(epsilon))
    while excess(low) > 0:
        low -= 1
    while excess(high) < 0:
        high += 1
    return exp(float(brentq(excess, low, high, xtol=1e-14, rtol=1e-14)))


def _log_one_less_exp(exponent: float) -> float:
    """Return ln(1 − e^x) for x ≤ 0; −∞ where nothing is left."""
    left = -expm1(exponent)
    return log(left) if left > 0 else -inf
