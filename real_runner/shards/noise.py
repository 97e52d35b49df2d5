"""Exact discrete Gaussian noise on a lattice, from cryptographic randomness.

Gaussian noise in floating point is not private: the gaps between floating-point numbers depend on
their size, so many a sum x + noise is a number that another x could never have led to (Mironov
2012, doi 10.1145/2382196.2382264). So all that is released here lies on one lattice, the multiples
of a quantum that depends on σ alone, and the noise is an integer number of quanta:

- The quantum q is the power of two with 2¹⁰·q ≤ σ < 2¹¹·q. A lattice so fine makes discrete and
  continuous Gaussian the same for accounting: δ at a given ε differs by less than one part in 10⁵.
  Multiples of a power of two are exact in floating point, in single precision, too.
- σ is rounded up to whole quanta: by less than one part in a thousand, to the side of privacy.
- A clipped vector is rounded to the lattice towards zero. That shortens each coordinate, so its
  norm is still at most ``clip``, and two of them are still at most 2·``clip`` apart.

The sampler is that of Canonne, Kamath and Steinke 2020, "The Discrete Gaussian for Differential
Privacy", arXiv 2004.00010, algorithms 1 to 3, on whole vectors at a time. It is exact: every
decision compares integers with an integer drawn uniformly, and no probability is ever rounded.
Each candidate of a vector is decided by words of its own, and those that are kept are taken in
their order, so they are as independent as if drawn one by one.
"""

import secrets
from collections.abc import Callable, Sequence
from math import ceil, frexp

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

Words = Callable[[int], npt.NDArray[np.uint64]]
"""Returns so many independent words of 64 uniform bits."""

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
_Truths = npt.NDArray[np.bool_]

QUANTA_PER_SIGMA_BITS = 10
_SLACK = 2.0**-30
"""By so much of its length a clipped vector is made shorter still: more than rounding makes it
longer again, at 2⁻⁵³ per operation."""

_SPARE = 64
"""Trials that are made above what should do on average."""

_AT_ONCE = 1 << 16
"""Numbers that are drawn at a time, so that the words in use fit a processor's caches."""


def cryptographic(count: int) -> npt.NDArray[np.uint64]:
    """Return words of AES-256 in counter mode, keyed by the operating system anew at each call.

    The system's own generator, asked for every word, takes most of the time that noise takes.
    """
    cipher = Cipher(AES(secrets.token_bytes(32)), CTR(secrets.token_bytes(16)))
    return np.frombuffer(cipher.encryptor().update(bytes(8 * count)), np.uint64)


def seeded(seed: int | Sequence[int]) -> Words:
    """Return words that a seed determines: for experiments to be repeated, never for privacy."""
    generator = np.random.default_rng(seed)
    return lambda count: generator.integers(0, 1 << 64, count, dtype=np.uint64)


def quantum(sigma: float) -> float:
    """Return the lattice's spacing for noise of standard deviation ``sigma``.

    >>> quantum(1.0), quantum(3.7) * 1024
    (0.0009765625, 2.0)
    """
    return float(2.0 ** (frexp(sigma)[1] - 1 - QUANTA_PER_SIGMA_BITS))


def privatised(rows: Reals, clip: float, sigma: float, words: Words = cryptographic) -> Reals:
    """Return rows, clipped to norm ``clip`` each, plus noise: multiples of the quantum.

    Raises `ValueError` for numbers that are not finite.
    """
    step = quantum(sigma)
    quanta = on_lattice(rows, clip, step)
    noise = discrete_gaussian(quanta.size, ceil(sigma / step), words)
    released: Reals = (quanta + noise.reshape(quanta.shape)) * np.float64(step)
    return released


def on_lattice(rows: Reals, clip: float, step: float) -> Integers:
    """Return rows (n, dim), clipped to norm ``clip``, in whole ``step``s, rounded towards zero."""
    norms = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    if not np.isfinite(norms).all():
        raise ValueError("holds numbers that are not finite; they cannot be clipped")
    scale = np.minimum(1.0, clip / np.maximum(norms, np.finfo(np.float64).tiny))
    quanta: Integers = np.trunc(rows * (scale * (1.0 - _SLACK) / step)).astype(np.int64)
    return quanta


def discrete_gaussian(count: int, sigma: int, words: Words = cryptographic) -> Integers:
    """Return integers drawn with probabilities proportional to exp(−x²/2σ²); algorithm 3.

    A draw y of the discrete Laplace distribution with scale σ is kept with probability
    exp(−(|y| − σ)²/2σ²).
    """

    def kept(trials: int) -> Integers:
        drawn = _first(trials, 1.62, lambda more: _discrete_laplace(more, sigma, words))
        return drawn[_with_exponent(np.square(np.abs(drawn) - sigma), 2 * sigma * sigma, words)]

    parts = [
        _first(min(_AT_ONCE, count - start), 1.34, kept) for start in range(0, count, _AT_ONCE)
    ]
    return np.concatenate([np.empty(0, np.int64), *parts])


def _first(count: int, trials_each: float, kept: Callable[[int], Integers]) -> Integers:
    """Return the first ``count`` results of independent trials, of which ``kept`` makes some.

    As many trials are made at once as should do, then more where they did not. Which results
    come first has nothing to do with what they are.
    """
    found = np.empty(0, np.int64)
    while len(found) < count:
        trials = int(trials_each * (count - len(found))) + _SPARE
        found = np.concatenate([found, kept(trials)])
    return found[:count]


def _discrete_laplace(trials: int, scale: int, words: Words) -> Integers:
    """Return what trials make of integers of probabilities proportional to exp(−|x|/scale).

    Algorithm 2: a trial may come to nothing.
    """
    below = _uniform(trials, scale, words)
    below = below[_with_fraction(below, scale, words)]
    size = below + scale * _geometric(len(below), words)
    negative = (words(len(size)) >> np.uint64(63)).astype(np.bool_)
    once = ~(negative & (size == 0))  # else zero would come twice as often
    signed: Integers = np.where(negative, -size, size)
    kept: Integers = signed[once]
    return kept


def _geometric(count: int, words: Words) -> Integers:
    """Return how many times in a row an event of probability 1/e happened, ``count`` times."""
    happened = np.empty(0, np.bool_)
    while len(happened) - np.count_nonzero(happened) < count:
        trials = np.ones(int(1.6 * count) + _SPARE, np.int64)
        happened = np.concatenate([happened, _with_fraction(trials, 1, words)])
    ends = np.flatnonzero(~happened)[:count]
    runs: Integers = np.diff(ends, prepend=-1) - 1
    return runs


def _with_exponent(numerators: Integers, denominator: int, words: Words) -> _Truths:
    """Return events of probability exp(−numerator/denominator); algorithm 1, any exponent ≥ 0."""
    whole, rest = np.divmod(numerators, denominator)
    happened = _with_fraction(rest, denominator, words)
    candidates = np.flatnonzero(happened & (whole > 0))
    run = _geometric(len(candidates), words)  # as long a run of 1/e as the whole part, or longer
    happened[candidates] = run >= whole[candidates]
    return happened


def _with_fraction(numerators: Integers, denominator: int, words: Words) -> _Truths:
    """Return events of probability exp(−numerator/denominator), numerator ≤ denominator.

    Algorithm 1: the first k at which an event of probability numerator/(k·denominator) fails to
    happen is odd with just that probability.
    """
    odd = np.zeros(len(numerators), np.bool_)
    going, k = np.arange(len(numerators)), 1
    while len(going):
        drawn = _uniform(len(going), k * denominator, words)
        happened = drawn < numerators[going]
        odd[going[~happened]] = k % 2 == 1
        going, k = going[happened], k + 1
    return odd


def _uniform(count: int, bound: int, words: Words) -> Integers:
    """Return integers from 0 to below ``bound``, each as likely as any other.

    Words beyond the last multiple of ``bound`` that they hold are drawn anew.
    """
    last = np.uint64((1 << 64) - 1 - (1 << 64) % bound)
    drawn = words(count)
    while (over := np.flatnonzero(drawn > last)).size:
        drawn = drawn.copy()
        drawn[over] = words(len(over))
    return (drawn % np.uint64(bound)).astype(np.int64)
