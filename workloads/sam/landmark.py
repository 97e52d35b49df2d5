"""Mode `landmark`: global attention sees the own shard's tokens and a summary of all others.

Each window's keys and values are averaged, ``pool`` tokens at a time, into landmarks: row by row
of the window, the last from what is left. They travel window after window, each landmark's key and
then its value, as two rows of ``dim`` numbers. A cloud runs a global block up to its queries, keys
and values and sends its landmarks; the edge passes them on; the cloud, which has kept the rest,
attends to its own keys and the others' landmarks.
"""

from functools import lru_cache, partial

from workloads.sam import costs
from workloads.sam.geometry import shard_tokens, windows
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
from workloads.sam.variants import Variant
from workloads.stage import Payload, Round, Shard, Stage
from workloads.work import Work, copy


def landmark(sam: Sam, options: Options) -> Sharding:
    """As local attention, but pooled keys and values go round at each global block.

    The rounds are one per segment between exchanges.
    """
    trips = tuple(_round(sam, options, segment) for segment in segments(sam.variant))
    return Sharding("landmark", before(sam, options), trips, stateful=True)


@lru_cache(maxsize=1 << 16)
def landmark_count(variant: Variant, pool: int, shard: Shard) -> int:
    """Return the landmarks of a shard: each window's tokens by ``pool``, rounded up."""
    known = windows(variant)
    return sum(-(-known[index].tokens // pool) for index in shard)


def _round(sam: Sam, options: Options, segment: Segment) -> Round:
    opening, closing, pool = segment.opening, segment.closing, options.pool
    embeds = opening is None and options.patch_embed
    return Round(
        up=first_upload(sam, options) if opening is None else partial(_others, sam, pool, opening),
        compute=partial(_stage, sam, pool, segment, embeds),
        down=last_download(sam, mixes=segment.mixes)
        if closing is None
        else partial(_landmarks, sam, pool, closing),
        edge=(sam.merge(), *ending(sam)) if closing is None else (_exchange(sam, pool, closing),),
    )


@lru_cache(maxsize=1 << 16)
def _landmarks(sam: Sam, pool: int, block: int, shard: Shard) -> Payload:
    """Return pooled keys and values of a global block that is not done."""
    count = 2 * landmark_count(sam.variant, pool, shard)
    mixes = block != sam.variant.global_blocks[0]
    elements = count * sam.variant.dim
    summary = not _shows_single_tokens(sam.variant, pool, shard)
    return Payload("landmarks", shard, elements, count, block, mixes, summary)


def _shows_single_tokens(variant: Variant, pool: int, shard: Shard) -> bool:
    """Whether a landmark of a shard is made of one token, so that it is no average."""
    known = windows(variant)
    return any(pool == 1 or known[index].tokens % pool == 1 for index in shard)


@lru_cache(maxsize=1 << 16)
def _others(sam: Sam, pool: int, block: int, shard: Shard) -> Payload:
    """Return the landmarks of all windows outside the shard."""
    return _landmarks(sam, pool, block, tuple(sorted(set(sam.whole) - set(shard))))


@lru_cache(maxsize=1 << 16)
def _stage(
    sam: Sam,
    pool: int,
    segment: Segment,
    patch_embed: bool,  # noqa: FBT001 (bound by position, before the shard)
    shard: Shard,
) -> Stage:
    variant, parts = sam.variant, shard or sam.whole
    work = windowed_work(variant, len(segment.windowed), shard, patch_embed=patch_embed)
    if segment.opening is not None:
        work += _attend(variant, pool, parts)
    if segment.closing is not None:
        work += _pool(variant, pool, parts)
    settings = (("pool", min(pool, variant.padded_window_tokens)),)  # more are never averaged
    return sam.stage("landmark", work, segment.completes, shard, settings)


def _attend(variant: Variant, pool: int, shard: Shard) -> Work:
    """Return a global block from attention on: keys are own tokens and the others' landmarks."""
    tokens = shard_tokens(variant, shard)
    whole = tuple(range(len(windows(variant))))
    others = landmark_count(variant, pool, whole) - landmark_count(variant, pool, shard)
    attention = costs.attend(variant, tokens, tokens + others, variant.grid_tokens)
    return attention + costs.finish(variant, tokens)


def _pool(variant: Variant, pool: int, shard: Shard) -> Work:
    """Return a global block up to queries, keys and values, and the averages of the latter two."""
    tokens, pooled = shard_tokens(variant, shard), landmark_count(variant, pool, shard)
    averages = Work(moved=2 * variant.dim * (tokens + pooled), launches=1)
    return costs.project(variant, tokens) + averages


def _exchange(sam: Sam, pool: int, block: int) -> Stage:
    """Return the edge's copying of all landmarks."""
    count = landmark_count(sam.variant, pool, sam.whole)
    return sam.stage("exchange", copy(2 * count * sam.variant.dim), (block,))
