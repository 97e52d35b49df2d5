"""Stages of SAM at one precision: work of `workloads.sam.costs` with bytes instead of elements."""

from functools import lru_cache

from workloads.errors import WorkloadError
from workloads.images import BYTES_PER_PIXEL, Image, encoding_named
from workloads.privacy import Noise
from workloads.sam import costs
from workloads.sam.geometry import all_windows, shard_tokens
from workloads.sam.variants import Variant
from workloads.sam.withholding import NOTHING, Withheld
from workloads.stage import Shard, Stage
from workloads.work import PRECISION_BYTES, Work, stage_of


def prepare(variant: Variant, image: Image, precision: str) -> Stage:
    """Return decoding the file and resizing it to the model's square.

    Memory: the file and the decoded pixels read, the decoded and the resized pixels written.
    Arithmetic: bilinear interpolation, 4 multiply-accumulates per sample; decompression is no
    floating-point work and has to be calibrated where it matters.
    """
    decoded_bytes = image.pixels * BYTES_PER_PIXEL
    samples = variant.image_px**2 * BYTES_PER_PIXEL
    return Stage(
        "sam.prepare",
        flops=8.0 * samples,
        memory_bytes=image.file_bytes + 2.0 * decoded_bytes + samples,
        launches=2,
        precision=precision,
    )


def partition(
    variant: Variant, encoding: str, precision: str, withheld: Withheld = NOTHING
) -> Stage:
    """Return cutting the resized image into shards: raw pixels read, encoded pixels written.

    To withhold means, pixels are read once more, added up, and their means subtracted; for each
    term of a trend they are multiplied by it and added up, and it by what that comes to and
    subtracted, which takes one more pass, and one to write what is left.
    """
    samples = variant.image_px**2 * BYTES_PER_PIXEL
    moved_bytes = samples * (1.0 + encoding_named(encoding).ratio)
    if not withheld:
        return Stage("sam.partition", 0.0, moved_bytes, precision=precision)
    return Stage(
        "sam.partition",
        flops=(2.0 + 4.0 * withheld.terms) * samples,
        memory_bytes=moved_bytes + samples * (3.0 if withheld.trend else 1.0),
        launches=4 if withheld.trend else 2,
        precision=precision,
        settings=withheld.settings,
    )


WORDS_PER_NUMBER = 15.4
"""Random words of 64 bits that one number of exact discrete Gaussian noise takes on average, as
counted in `real_runner.shards.noise`."""

BYTES_PER_WORD = 128
"""What each of them moves: sixteen passes of 8 bytes, to encrypt it, bring it below a bound,
compare it, and say which candidates go on."""


def privatise(variant: Variant, precision: str, noise: Noise) -> Stage:
    """Return clipping patch embeddings and adding noise to them, positions taken off meanwhile.

    Memory: tokens and positions read, tokens written, and what random words move. Arithmetic:
    taking positions off and on, squares, and scaling, an operation each per number but the
    squares' two; what is done to random words is no floating-point work, bound to one processor
    core, and has to be calibrated where it matters: there the stage is slower than its memory
    alone makes it. Positions are the patch embedding's, resident already.
    """
    numbers = variant.tokens * variant.dim
    width = PRECISION_BYTES[precision]
    return Stage(
        "sam.privatise",
        flops=6.0 * numbers,
        memory_bytes=numbers * (3.0 * width + BYTES_PER_WORD * WORDS_PER_NUMBER),
        launches=5,
        precision=precision,
        settings=(("clip", noise.clip), ("sigma", noise.sigma)),
    )


@lru_cache(maxsize=1 << 16)
def windowed(
    variant: Variant, precision: str, blocks: tuple[int, ...], shard: Shard, *, patch_embed: bool
) -> Stage:
    """Return windowed blocks on a shard (empty: all), after embedding its pixels if told.

    Raises `WorkloadError` if one of ``blocks`` is no windowed block.
    """
    if not set(blocks) <= set(variant.windowed_blocks):
        raise WorkloadError(
            f"blocks: {blocks!r}; choose among the windowed blocks of {variant.name}, "
            f"{variant.windowed_blocks}"
        )
    work = windowed_work(variant, len(blocks), shard, patch_embed=patch_embed)
    return stage_of("sam.windowed", work, precision, blocks=blocks, shard=shard)


@lru_cache(maxsize=1 << 16)
def local_run(variant: Variant, precision: str, shard: Shard, *, patch_embed: bool) -> Stage:
    """Return all blocks on a shard (empty: all), global attention restricted to its tokens."""
    tokens = shard_tokens(variant, shard or all_windows(variant))
    count = len(variant.windowed_blocks)
    work = windowed_work(variant, count, shard, patch_embed=patch_embed)
    work += costs.global_block(variant, tokens).times(len(variant.global_blocks))
    return stage_of("sam.local", work, precision, blocks=range(variant.depth), shard=shard)


def global_block(variant: Variant, precision: str, block: int) -> Stage:
    """Return one global block on the whole image, or raise `WorkloadError` if it is none."""
    if block not in variant.global_blocks:
        raise WorkloadError(
            f"block: {block!r}; choose among the global blocks of {variant.name}, "
            f"{variant.global_blocks}"
        )
    work = costs.global_block(variant, variant.tokens)
    return stage_of("sam.global", work, precision, blocks=(block,))


def windowed_work(variant: Variant, blocks: int, shard: Shard, *, patch_embed: bool) -> Work:
    """Return the work of ``blocks`` windowed blocks on a shard (empty: all)."""
    parts = shard or all_windows(variant)
    tokens = shard_tokens(variant, parts)
    work = costs.windowed_block(variant, len(parts), tokens).times(blocks)
    return work + costs.patch_embedding(variant, tokens) if patch_embed else work
