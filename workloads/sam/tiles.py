"""Mode `image`, the plain baseline: a whole small encoder per tile."""

from functools import lru_cache, partial

from workloads.errors import WorkloadError
from workloads.sam import costs
from workloads.sam.geometry import shard_tokens
from workloads.sam.model import Sam
from workloads.sam.sharding import Options, Sharding
from workloads.sam.variants import Variant
from workloads.stage import Payload, Round, Shard, Stage
from workloads.work import Work


def image(sam: Sam, options: Options) -> Sharding:
    """Clouds run a whole small encoder on their tile, neck included; approximate."""
    encoder = options.tile_encoder
    _check(sam, options)
    trip = Round(
        up=sam.pixels,
        compute=partial(_encode_tile, sam, encoder),
        down=partial(_tile_embedding, sam.variant, encoder),
        edge=(sam.merge(encoder.neck_channels), sam.decode()),
    )
    return Sharding("image", (sam.partition(),), (trip,))


def _check(sam: Sam, options: Options) -> None:
    if options.upload != "pixels":
        raise WorkloadError(
            f"upload: {options.upload!r} has no meaning in mode 'image'; use 'pixels'"
        )
    encoder = options.tile_encoder
    for field in ("patch_px", "neck_channels"):
        needed = getattr(sam.variant, field)
        if getattr(encoder, field) != needed:
            raise WorkloadError(
                f"tile_encoder {encoder.name}: {field}: {getattr(encoder, field)!r}; "
                f"give {needed!r}, as {sam.name} has"
            )


@lru_cache(maxsize=1 << 16)
def _encode_tile(sam: Sam, encoder: Variant, shard: Shard) -> Stage:
    """Return the stage of an encoder whose every block attends over all of the tile."""
    work = _tile_work(encoder, shard_tokens(sam.variant, shard or sam.whole))
    return sam.stage("tile_encoder", work, tuple(range(encoder.depth)), shard)


def _tile_work(encoder: Variant, tokens: int) -> Work:
    blocks = costs.global_block(encoder, tokens).times(encoder.depth)
    return costs.patch_embedding(encoder, tokens) + blocks + costs.neck(encoder, tokens)


def _tile_embedding(variant: Variant, encoder: Variant, shard: Shard) -> Payload:
    count = shard_tokens(variant, shard)
    return Payload("embedding", shard, count * encoder.neck_channels, count, encoder.depth)
