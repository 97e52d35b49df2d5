"""Work of SAM's prompt encoder and mask decoder, in closed form.

Derived from ``prompt_encoder.py``, ``mask_decoder.py`` and ``transformer.py`` of
``segment_anything/modeling``. N image tokens and t = 7 prompt tokens of D = 256 channels: one
quality token, four mask tokens, and two for the prompt (a point and its padding, or the two
corners of a box). Every prompt has an image and tokens of its own, in one batch.
"""

from functools import lru_cache

from workloads.sam.variants import Variant
from workloads.work import Work, attention, linear, norm

MASK_TOKENS = 4
PROMPT_TOKENS = 2
LAYERS = 2
MLP_DIM = 2048
MASK_INPUT_CHANNELS = 16


@lru_cache(maxsize=1 << 10)
def decode(variant: Variant, prompts: int) -> Work:
    """Return the work of turning one embedding and ``prompts`` prompts into masks."""
    each = _transformer(variant) + _upscale(variant) + _heads(variant)
    return _prompt_encoder(variant, prompts) + each.batched(prompts)


def _cross(dim: int, queries: int, keys: int, inner: int) -> Work:
    """Return the work of `Attention`: projections to ``inner`` channels, attention, and back."""
    return (
        linear(queries, dim, inner)
        + linear(keys, dim, inner).times(2)
        + attention(queries, keys, inner)
        + linear(queries, inner, dim)
    )


def _transformer(variant: Variant) -> Work:
    """Return the work of `TwoWayTransformer`, its heads' channels halved between token sets."""
    dim, image, prompt = variant.neck_channels, variant.tokens, 1 + MASK_TOKENS + PROMPT_TOKENS
    to_image = _cross(dim, prompt, image, dim // 2)
    layer = (
        _cross(dim, prompt, prompt, dim)
        + to_image
        + linear(prompt, dim, MLP_DIM)
        + linear(prompt, MLP_DIM, dim)
        + _cross(dim, image, prompt, dim // 2)
        + norm(dim).times(4)
    )
    return layer.times(LAYERS) + to_image + norm(dim)


def _upscale(variant: Variant) -> Work:
    """Return the work of two transposed 2×2 convolutions and of the masks made from them."""
    dim, image = variant.neck_channels, variant.tokens
    masks = Work(
        macs=MASK_TOKENS * (dim // 8) * 16 * image,
        moved=(dim // 8 + MASK_TOKENS) * 16 * image,
        launches=1,
    )
    first = _transposed(image, dim, dim // 4)
    return first + norm(dim // 4) + _transposed(4 * image, dim // 4, dim // 8) + masks


def _transposed(pixels: int, inputs: int, outputs: int) -> Work:
    """Return the work of a transposed convolution with kernel 2 and stride 2."""
    return Work(
        macs=pixels * inputs * outputs * 4,
        moved=pixels * (inputs + 4 * outputs),
        parameters=inputs * outputs * 4 + outputs,
        launches=1,
    )


def _heads(variant: Variant) -> Work:
    """Return the work of the networks that read the mask tokens and the quality token."""
    dim = variant.neck_channels
    hidden = linear(1, dim, dim).times(2)
    tokens = Work(parameters=(1 + MASK_TOKENS) * dim)
    masks = (hidden + linear(1, dim, dim // 8)).times(MASK_TOKENS)
    return tokens + masks + hidden + linear(1, dim, MASK_TOKENS)


def _prompt_encoder(variant: Variant, prompts: int) -> Work:
    """Return the work of the positions of prompts and grid; mask prompts are only resident."""
    dim, quarter = variant.neck_channels, MASK_INPUT_CHANNELS // 4
    positions = variant.tokens + prompts * PROMPT_TOKENS
    mask_input = (
        (4 * quarter + quarter)
        + 2 * quarter
        + (4 * quarter * MASK_INPUT_CHANNELS + MASK_INPUT_CHANNELS)
        + 2 * MASK_INPUT_CHANNELS
        + (MASK_INPUT_CHANNELS * dim + dim)
    )
    return Work(
        macs=positions * 2 * (dim // 2),
        moved=positions * (2 + dim // 2),
        parameters=6 * dim + mask_input,
        launches=2,
    )
