"""Numbers in fixed point, additive shares modulo 2⁶⁴, and exact products with them.

A number x becomes round(x · 2²²), and so does a weight; their products have 44 fractional bits and
leave 19 for what is before the point. For y = W·x with inputs x and ŷ by way of the ring

    |ŷ − y| ≤ 2⁻²³ · Σ|w| + 2⁻²³ · Σ|x| + inputs · 2⁻⁴⁶

per output, both sums over its inputs (`error_bound`), since rounding is off by half a step at most
and nothing else rounds: shares and products are whole numbers and the sum of all shares' products
*is* the product modulo 2⁶⁴. It is the product itself where that is below 2⁶³, which the edge, who
alone knows x, makes sure of before it draws shares (`encoded`).

Integers have no fast matrix product here. So shares are cut into limbs so short that sums of a limb
times a weight stay below 2⁵³, where float64 is exact in any order of summation, and each limb has a
product in float64; how many there are follows from the weights (three for SAM's). Knott et al.,
"CrypTen", 2021, arXiv 2109.00984, cut alike on graphics processors, into four.
"""

import secrets
from typing import Final

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from torch import Tensor

from real_runner.errors import StepError
from real_runner.shards.blocks import TOKENS_AT_ONCE
from workloads.sam.shares import RING_BYTES, WEIGHT_BYTES

INPUT_BITS: Final = 22
WEIGHT_BITS: Final = 22
"""Fractional bits."""

_RING_BITS: Final = 8 * RING_BYTES
_EXACT: Final = 2**53
"""Up to here float64 has every whole number."""


def fixed_weight(weight: Tensor) -> Tensor:
    """Return weights (outputs, inputs) in fixed point: whole numbers, as float64.

    Raises `StepError` where one needs more than `WEIGHT_BYTES`.
    """
    fixed = (weight.double() * 2.0**WEIGHT_BITS).round_()
    largest = float(weight.abs().max())
    if not float(fixed.abs().max()) < 2.0 ** (8 * WEIGHT_BYTES - 1):
        raise StepError(
            f"shares: a weight of {largest:.4g} does not fit {8 * WEIGHT_BYTES} bits with "
            f"{WEIGHT_BITS} behind the point; use another mode for these weights"
        )
    return fixed


def encoded(inputs: Tensor, weight: Tensor) -> Tensor:
    """Return inputs (n, inputs) in fixed point, int64.

    ``weight`` is the `fixed_weight` that they are to be multiplied with. Raises `StepError` unless
    every product is sure to stay below 2⁶³.
    """
    fixed = (inputs.double() * 2.0**INPUT_BITS).round_()
    largest = float(fixed.abs().max())
    if not largest * _largest_sum(weight) < 2.0 ** (_RING_BITS - 1):
        raise StepError(
            f"shares: inputs up to {float(inputs.abs().max()):.4g} times these weights may exceed "
            f"what {_RING_BITS} bits hold with {INPUT_BITS + WEIGHT_BITS} behind the point; use "
            "another mode for these weights"
        )
    return fixed.long()


def shares_of(secret: Tensor, count: int) -> list[Tensor]:
    """Return ``count`` shares that add up to ``secret`` (int64) modulo 2⁶⁴.

    All but the last come from a cryptographic generator; any ``count`` − 1 of them are uniform and
    independent of the secret.
    """
    drawn = [_uniform(secret) for _ in range(count - 1)]
    return [*drawn, secret - summed(drawn)]


def summed(shares: list[Tensor]) -> Tensor:
    """Return the sum of shares or of their products modulo 2⁶⁴."""
    first, *others = shares
    total = first.clone()
    for other in others:
        total += other
    return total


def product(share: Tensor, weight: Tensor) -> Tensor:
    """Return ``share · weightᵀ`` modulo 2⁶⁴, int64 (n, outputs), with a `fixed_weight`.

    Raises `StepError` where the weights are too large for it to be exact.
    """
    bits = limb_bits(weight)
    transposed = weight.t()
    result = share.new_zeros(len(share), len(weight))
    for start in range(0, len(share), TOKENS_AT_ONCE):
        some = share[start : start + TOKENS_AT_ONCE]
        for shift in range(0, _RING_BITS, bits):
            limb = (some >> shift) & ((1 << bits) - 1)
            part = (limb.double() @ transposed).long()
            result[start : start + TOKENS_AT_ONCE] += part << shift
    return result


def limb_bits(weight: Tensor) -> int:
    """Return how long limbs may be so that float64 is exact, or raise `StepError`."""
    bits = int(_EXACT // max(_largest_sum(weight), 1.0)).bit_length() - 1
    if bits < 1:
        raise StepError(
            "shares: weights of one output add up to too much for exact products; "
            "use another mode for these weights"
        )
    return min(bits, _RING_BITS // 2)


def decoded(total: Tensor) -> Tensor:
    """Return the product that shares of it add up to, as float64."""
    return total.double().mul_(2.0 ** -(INPUT_BITS + WEIGHT_BITS))


def error_bound(inputs: Tensor, weight: Tensor) -> Tensor:
    """Return how far each output (n, outputs) is off at most, for plain inputs and weights."""
    of_inputs = inputs.double().abs().sum(1)[:, None] * 2.0 ** -(WEIGHT_BITS + 1)
    of_weights = weight.double().abs().sum(1)[None] * 2.0 ** -(INPUT_BITS + 1)
    both = inputs.shape[1] * 2.0 ** -(INPUT_BITS + WEIGHT_BITS + 2)
    return of_inputs + of_weights + both


def _largest_sum(weight: Tensor) -> float:
    """Return the most that an input of 1 everywhere can come to in one output."""
    return float(weight.abs().sum(1).max())


def _uniform(like: Tensor) -> Tensor:
    """Return uniform numbers from ChaCha20 under a key that the system's generator has drawn.

    That is the same cipher as behind the system's own generator, four times as fast.
    """
    drawn = np.empty(like.numel(), np.int64)
    cipher = Cipher(algorithms.ChaCha20(secrets.token_bytes(32), nonce=bytes(16)), mode=None)
    cipher.encryptor().update_into(bytes(drawn.nbytes), drawn.view(np.uint8).data)
    return torch.from_numpy(drawn).reshape(like.shape).to(like.device)
