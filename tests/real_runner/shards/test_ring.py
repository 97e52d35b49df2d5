"""Fixed point, shares and exact products modulo 2⁶⁴, against Python's own whole numbers."""

import numpy as np
import pytest
import torch
from scipy import stats

from real_runner.errors import StepError
from real_runner.shards import ring


def drawn(rows, inputs, outputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(rows, inputs, dtype=torch.float64, generator=generator)
    weight = torch.randn(outputs, inputs, dtype=torch.float64, generator=generator)
    return numbers, weight / inputs**0.5


def by_hand(share, weight):
    """Return the product modulo 2⁶⁴ by numpy's whole numbers, which wrap around."""
    return share.numpy() @ weight.long().numpy().T


@pytest.mark.parametrize("rows", [5, 1500])
def test_a_product_in_limbs_is_the_product_modulo_two_to_the_64(rows):
    _, weight = drawn(1, 96, 7)
    fixed = ring.fixed_weight(weight)
    share = torch.randint(-(2**63), 2**63 - 1, (rows, 96))
    share[0, :2] = torch.tensor([-(2**63), 2**63 - 1])
    found = ring.product(share, fixed)
    assert np.array_equal(found.numpy(), by_hand(share, fixed))
    exact = sum(int(s) * int(w) for s, w in zip(share[0], fixed[0], strict=True))
    assert int(found[0, 0]) % 2**64 == exact % 2**64


@pytest.mark.parametrize("scale", [2.0**-20, 1.0, 64.0, 511.0])
def test_it_is_exact_for_weights_of_any_size_that_fits(scale):
    share = torch.randint(-(2**63), 2**63 - 1, (16, 512))
    for weight in (torch.full((3, 512), scale), torch.full((3, 512), -scale)):
        fixed = ring.fixed_weight(weight)
        assert np.array_equal(ring.product(share, fixed).numpy(), by_hand(share, fixed))


def test_longer_limbs_would_not_be_exact():
    fixed = ring.fixed_weight(torch.full((1, 512), 511.0))
    bits = ring.limb_bits(fixed)
    most = 512 * int(fixed[0, 0])
    assert 2**bits * most <= 2**53 < 2 ** (bits + 1) * most


@pytest.mark.parametrize("count", [2, 3, 5])
def test_shares_give_exactly_the_product_that_was_not_shared(count):
    numbers, weight = drawn(40, 192, 24)
    fixed = ring.fixed_weight(weight)
    secret = ring.encoded(numbers, fixed)
    shares = ring.shares_of(secret, count)
    assert torch.equal(ring.summed(shares), secret)
    total = ring.summed([ring.product(share, fixed) for share in shares])
    assert torch.equal(total, ring.product(secret, fixed))
    assert np.array_equal(total.numpy(), by_hand(secret, fixed))


def test_the_shared_layer_is_the_plain_one_within_the_bound():
    numbers, weight = drawn(40, 192, 24)
    fixed = ring.fixed_weight(weight)
    shares = ring.shares_of(ring.encoded(numbers, fixed), 3)
    found = ring.decoded(ring.summed([ring.product(share, fixed) for share in shares]))
    error, bound = (found - numbers @ weight.T).abs(), ring.error_bound(numbers, weight)
    assert (error <= bound).all()
    assert float(bound.max()) < 1e-4
    assert (error > bound / 1000).any(), "a bound that is no guess from far away"


def test_the_bound_is_reached_and_notices_one_fractional_bit_too_few(monkeypatch):
    """The worst case: every number lies in the middle between two steps."""
    for bits, within in ((22, True), (21, False)):
        middle = torch.full((1, 64), 1 + 2.0 ** -(bits + 1), dtype=torch.float64)
        plain, bound = middle @ middle.T, ring.error_bound(middle, middle)
        with monkeypatch.context() as patch:
            patch.setattr(ring, "INPUT_BITS", bits)
            patch.setattr(ring, "WEIGHT_BITS", bits)
            fixed = ring.fixed_weight(middle)
            found = ring.decoded(ring.product(ring.encoded(middle, fixed), fixed))
        error = (found - plain).abs() / bound
        assert bool((error <= 1 + 1e-9).all()) == within
        assert (error > 0.99).all()


def bytes_of(share):
    return np.frombuffer(share.numpy().tobytes(), np.uint8).reshape(-1, 8)


def p_values(share):
    """Return a chi-square test's p of uniform bytes, for each of the 8 bytes of numbers."""
    return [stats.chisquare(np.bincount(c, minlength=256)).pvalue for c in bytes_of(share).T]


@pytest.mark.parametrize("secret", [0, 1, -1, 2**40 + 12345])
def test_all_shares_but_any_one_are_uniform_whatever_is_shared(secret):
    """That includes the last one, which is no drawn one but a difference."""
    numbers = torch.full((1 << 15, 2), secret)
    shares = ring.shares_of(numbers, 3)
    for share in shares:
        assert min(p_values(share)) > 1e-5  # 96 tests in all: a false alarm per thousand runs
    for left in range(3):
        others = [share for place, share in enumerate(shares) if place != left]
        assert min(p_values(ring.summed(others))) > 1e-5
    assert torch.equal(ring.summed(shares), numbers)


def test_the_test_of_uniformity_fails_for_what_is_not():
    numbers = torch.full((1 << 15, 2), 5)
    assert max(p_values(ring.summed(ring.shares_of(numbers, 3)))) < 1e-5
    assert min(p_values(torch.randn(1 << 16).mul(2**22).long())) < 1e-5


def test_shares_do_not_tell_one_input_from_another():
    """Pairs of bytes at the same place of two shares out of three are uniform, too."""
    for secret in (torch.zeros(1 << 20, dtype=torch.int64), torch.arange(1 << 20)):
        first, _, last = ring.shares_of(secret, 3)
        pairs = bytes_of(first)[:, 0].astype(int) * 256 + bytes_of(last)[:, 0]
        assert stats.chisquare(np.bincount(pairs, minlength=1 << 16)).pvalue > 1e-5
        one, other = ring.shares_of(secret, 2)
        told = (bytes_of(one)[:, 0].astype(int) + bytes_of(other)[:, 0]) % 256
        assert np.array_equal(told, secret.numpy() % 256), "and all of them tell everything"


def test_every_sharing_is_a_fresh_one():
    secret = torch.zeros(1000, dtype=torch.int64)
    first, second = ring.shares_of(secret, 2), ring.shares_of(secret, 2)
    assert not (first[0] == second[0]).any()


def test_what_could_wrap_around_is_refused():
    numbers, weight = drawn(4, 192, 24)
    fixed = ring.fixed_weight(weight)
    most = 2.0**19 / float(weight.abs().sum(1).max()) / float(numbers.abs().max())
    assert ring.encoded(numbers * most * 0.999, fixed).dtype == torch.int64
    for factor in (most * 1.001, float("inf"), float("nan")):
        with pytest.raises(StepError, match=r"shares: inputs up to .* may exceed what 64 bits"):
            ring.encoded(numbers * factor, fixed)


def test_weights_that_are_too_large_are_refused():
    assert ring.fixed_weight(torch.full((1, 1), 511.9)).shape == (1, 1)
    for value in (512.0, -512.0, float("nan")):
        with pytest.raises(StepError, match=r"shares: a weight of .* does not fit 32 bits"):
            ring.fixed_weight(torch.full((1, 1), value))
    with pytest.raises(StepError, match="add up to too much for exact products"):
        ring.limb_bits(torch.full((1, 1 << 23), 2.0**31))


@pytest.mark.parametrize("inputs", [768, 1280, 4 * 1280])
def test_sizes_of_sam_leave_room(inputs):
    """Inputs of 50 and weights drawn as a network's are far from the limit, in three limbs."""
    numbers, weight = drawn(8, inputs, 16)
    fixed = ring.fixed_weight(weight)
    ring.encoded(numbers.clamp(-1, 1) * 50, fixed)
    assert -(-64 // ring.limb_bits(fixed)) == 3
