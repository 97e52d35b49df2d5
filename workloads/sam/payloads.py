"""What travels in sharded SAM: pixels, tokens, the embedding, masks."""

from functools import lru_cache

from workloads.images import BYTES_PER_PIXEL, encoding_named
from workloads.sam.geometry import all_windows, shard_tokens
from workloads.sam.variants import Variant
from workloads.stage import Payload, Shard


@lru_cache(maxsize=1 << 16)
def pixels(variant: Variant, encoding: str, shard: Shard) -> Payload:
    """Return the shard's pixels of the resized image, three bytes each times the encoding's ratio.

    >>> from workloads.sam.variants import VARIANTS
    >>> pixels(VARIANTS["vit-b"], "raw", (0,)).fixed_bytes
    150528.0
    """
    raw_bytes = shard_tokens(variant, shard) * variant.patch_px**2 * BYTES_PER_PIXEL
    return Payload("pixels", shard, fixed_bytes=raw_bytes * encoding_named(encoding).ratio)


@lru_cache(maxsize=1 << 16)
def tokens(variant: Variant, shard: Shard, blocks_done: int, *, mixes: bool) -> Payload:
    """Return the shard's real tokens after ``blocks_done`` blocks; padding never travels."""
    count = shard_tokens(variant, shard)
    return Payload("tokens", shard, count * variant.dim, count, blocks_done, mixes)


@lru_cache
def embedding(variant: Variant) -> Payload:
    """Return the whole image's embedding as the neck makes it."""
    whole, count = all_windows(variant), variant.tokens
    elements = count * variant.neck_channels
    return Payload("embedding", whole, elements, count, variant.depth, mixes=True)


def mask(variant: Variant, prompts: int) -> Payload:
    """Return the answer: one binary mask of the resized image per prompt, eight pixels a byte.

    >>> from workloads.sam.variants import VARIANTS
    >>> mask(VARIANTS["vit-b"], prompts=1).fixed_bytes
    131072.0
    """
    return Payload("mask", fixed_bytes=prompts * variant.image_px**2 / 8)
