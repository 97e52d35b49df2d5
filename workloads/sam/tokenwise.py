"""Mode `exact` with the token-wise work of global blocks on the clouds, too.

A cloud runs a global block up to its queries, keys and values and sends them; the edge runs only
softmax(QKᵀ)V and sends each shard its rows; the cloud, which has kept the residual stream, goes
on with the same block.
"""

from functools import lru_cache, partial

from workloads.sam import costs
from workloads.sam.geometry import shard_tokens
from workloads.sam.model import Sam
from workloads.sam.runs import Segment, segments
from workloads.sam.sharding import (
    Options,
    Sharding,
    before,
    ending,
    first_upload,
    last_download,
)
from workloads.sam.stages import windowed_work
from workloads.stage import Payload, Round, Shard, Stage


def tokenwise(sam: Sam, options: Options) -> Sharding:
    """Return the rounds: one per segment between global attentions."""
    trips = tuple(_round(sam, options, segment) for segment in segments(sam.variant))
    return Sharding("exact", before(sam, options), trips, stateful=True)


def _round(sam: Sam, options: Options, segment: Segment) -> Round:
    opening, closing = segment.opening, segment.closing
    embeds = opening is None and options.patch_embed
    return Round(
        up=first_upload(sam, options) if opening is None else partial(_attended, sam, opening),
        compute=partial(_stage, sam, segment, embeds),
        down=last_download(sam, mixes=segment.mixes)
        if closing is None
        else partial(_qkv, sam, closing, segment.mixes),
        edge=(sam.merge(), *ending(sam)) if closing is None else _attention(sam, closing),
    )


def _attended(sam: Sam, block: int, shard: Shard) -> Payload:
    """Return the shard's rows of softmax(QKᵀ)V; the block itself is not done."""
    count = shard_tokens(sam.variant, shard)
    return Payload("attention", shard, count * sam.variant.dim, count, block, mixes=True)


def _qkv(sam: Sam, block: int, mixes: bool, shard: Shard) -> Payload:  # noqa: FBT001
    """Return queries, keys and values: three vectors per token, each quantised by itself."""
    count = 3 * shard_tokens(sam.variant, shard)
    return Payload("qkv", shard, count * sam.variant.dim, count, block, mixes)


@lru_cache(maxsize=1 << 16)
def _stage(sam: Sam, segment: Segment, patch_embed: bool, shard: Shard) -> Stage:  # noqa: FBT001
    variant = sam.variant
    tokens = shard_tokens(variant, shard or sam.whole)
    work = windowed_work(variant, len(segment.windowed), shard, patch_embed=patch_embed)
    if segment.opening is not None:
        work += costs.finish(variant, tokens)
    if segment.closing is not None:
        work += costs.project(variant, tokens)
    return sam.stage("tokenwise", work, segment.completes, shard)


def _attention(sam: Sam, block: int) -> tuple[Stage, ...]:
    variant = sam.variant
    work = costs.attend(variant, variant.tokens, variant.tokens, variant.grid_tokens)
    return (sam.merge(3 * variant.dim), sam.stage("attention", work, (block,)), sam.split())
