"""The ways to shard SAM, as rounds between the edge and clouds that hold windows of the image.

======== ============================================ ============ ===========================
mode     clouds run                                   result       round trips
======== ============================================ ============ ===========================
exact    every run of windowed blocks                 equal        one per run
prefix   windowed blocks before the first global one  equal        1
deferred all windowed blocks, in order                changed      1
local-   every block, attention inside the shard      approximate  1
landmark as local, plus pooled keys of other shards   approximate  1 + one per global block
image    a whole small encoder on their tile          approximate  1
======== ============================================ ============ ===========================

The edge runs the rest. After a global block a token mixes the whole image (``mixes``): `exact`
sends such tokens out, `prefix` and `deferred` never do. A mode `shares`, in which clouds hold no
windows but secret shares of everything, stands in `workloads.sam.shares`.
"""

from collections.abc import Callable
from functools import lru_cache, partial

from workloads.errors import WorkloadError
from workloads.privacy import Noise
from workloads.sam.landmark import landmark
from workloads.sam.model import Sam
from workloads.sam.runs import Run, runs
from workloads.sam.sharding import DEFAULT_POOL, Options, Sharding, before, ending, first_upload
from workloads.sam.tiles import image
from workloads.sam.tokenwise import tokenwise
from workloads.sam.variants import TILE_ENCODER, Variant
from workloads.sam.withholding import NOTHING, Withheld
from workloads.stage import Round, Stage


@lru_cache(maxsize=1 << 10)
def rounds(  # noqa: PLR0913 - a choice each
    sam: Sam,
    mode: str,
    *,
    upload: str = "pixels",
    offload_tokenwise: bool = False,
    pool: int = DEFAULT_POOL,
    tile_encoder: Variant = TILE_ENCODER,
    noise: Noise | None = None,
    withheld: Withheld = NOTHING,
) -> Sharding:
    """Return how ``mode`` runs ``sam``, for any division of its windows into shards.

    ``upload``: what the first round sends, ``pixels`` (clouds embed the patches) or
    ``embeddings`` (the edge does). ``offload_tokenwise`` (`exact` only): clouds also run norms,
    projections and MLPs of global blocks, the edge only softmax(QKᵀ)V. ``pool`` (`landmark`
    only): tokens averaged into one key and value. ``tile_encoder`` (`image` only): the small
    encoder. ``noise`` (`embeddings` only): what the edge adds to patch embeddings before any cloud
    gets them (see `workloads.privacy`). ``withheld`` (modes in `WITHHOLDING` and `pixels` only):
    clouds get what is left of pixels without it; the edge adds what it, and colours cut off, add to
    embeddings once tokens are back. It changes the function: windowed blocks know nothing of it.

    Raises `WorkloadError` for an unknown mode or upload and for choices a mode cannot honour.
    """
    if mode not in _MODES:
        raise WorkloadError(f"mode: {mode!r} is unknown; choose one of {', '.join(_MODES)}")
    if offload_tokenwise and mode != "exact":
        raise WorkloadError(f"offload_tokenwise: has no meaning in mode {mode!r}; use 'exact'")
    if withheld and mode not in WITHHOLDING:
        raise WorkloadError(
            f"withhold: has no meaning in mode {mode!r}, in which clouds get tokens that know all; "
            f"choose one of {', '.join(WITHHOLDING)}"
        )
    options = Options(upload, offload_tokenwise, pool, tile_encoder, noise, withheld)
    return _MODES[mode](sam, options)


def _exact(sam: Sam, options: Options) -> Sharding:
    """Clouds run the windowed blocks, one round trip per run of them; the result is exact."""
    if options.offload_tokenwise:
        return tokenwise(sam, options)
    steps = runs(sam.variant)
    trips = [_exact_round(sam, options, run) for run in steps[:-1]]
    trips.append(_exact_round(sam, options, steps[-1], last=True))
    return Sharding("exact", before(sam, options), tuple(trips))


def _exact_round(sam: Sam, options: Options, run: Run, *, last: bool = False) -> Round:
    is_first = run.first == 0
    up = (
        first_upload(sam, options)
        if is_first
        else partial(sam.tokens, blocks_done=run.first, mixes=True)
    )
    done = run.first + len(run.windowed)
    return Round(
        up=up,
        compute=partial(sam.windowed, run.windowed, patch_embed=is_first and options.patch_embed),
        down=partial(sam.tokens, blocks_done=done, mixes=not is_first),
        edge=(
            sam.merge(),
            *map(sam.global_block, run.following),
            *(ending(sam) if last else (sam.split(),)),
        ),
    )


def _prefix(sam: Sam, options: Options) -> Sharding:
    """Clouds run the blocks before the first global one; one round trip, exact."""
    first, *rest = runs(sam.variant)
    edge = [
        *_merged(sam, options, first.windowed),
        *map(sam.global_block, first.following),
    ]
    for run in rest:
        edge += [sam.windowed(run.windowed)] if run.windowed else []
        edge += map(sam.global_block, run.following)
    return _one_round(sam, options, "prefix", first.windowed, (*edge, *ending(sam)))


def _deferred(sam: Sam, options: Options) -> Sharding:
    """Clouds run all windowed blocks, the edge all global ones after; changed function."""
    following = map(sam.global_block, sam.variant.global_blocks)
    edge = (*_merged(sam, options, sam.variant.windowed_blocks), *following, *ending(sam))
    return _one_round(sam, options, "deferred", sam.variant.windowed_blocks, edge)


def _merged(sam: Sam, options: Options, blocks: tuple[int, ...]) -> tuple[Stage, ...]:
    """Return putting together what clouds return after ``blocks``, and adding what they lacked."""
    return (sam.merge(), sam.restore(blocks)) if options.withheld else (sam.merge(),)


def _one_round(
    sam: Sam, options: Options, mode: str, blocks: tuple[int, ...], edge: tuple[Stage, ...]
) -> Sharding:
    """Return the sharding whose clouds run windowed ``blocks`` once."""
    trip = Round(
        up=first_upload(sam, options),
        compute=partial(sam.windowed, blocks, patch_embed=options.patch_embed),
        down=partial(sam.tokens, blocks_done=len(blocks), mixes=False),
        edge=edge,
    )
    return Sharding(mode, before(sam, options), (trip,))


def _local(sam: Sam, options: Options) -> Sharding:
    """Clouds run every block on their own shard only; one round trip, approximate."""
    trip = Round(
        up=first_upload(sam, options),
        compute=partial(sam.local_run, patch_embed=options.patch_embed),
        down=partial(sam.tokens, blocks_done=sam.variant.depth, mixes=False),
        edge=(sam.merge(), *ending(sam)),
    )
    return Sharding("local-attention", before(sam, options), (trip,))


_MODES: dict[str, Callable[[Sam, Options], Sharding]] = {
    "exact": _exact,
    "prefix": _prefix,
    "deferred": _deferred,
    "local-attention": _local,
    "landmark": landmark,
    "image": image,
}

MODES = tuple(_MODES)
"""Names of the modes."""

WITHHOLDING = ("prefix", "deferred")
"""Modes in which clouds can do without mean colours."""


def summary(mode: str) -> str:
    """Return one line on what a mode does."""
    return (_MODES[mode].__doc__ or "").splitlines()[0]
