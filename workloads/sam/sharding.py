"""The shape of a sharded run of SAM, and the choices that lead to it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from workloads.errors import WorkloadError
from workloads.privacy import Noise
from workloads.sam.model import Sam
from workloads.sam.variants import TILE_ENCODER, Variant
from workloads.sam.withholding import NOTHING, Withheld
from workloads.stage import Payload, Round, Shard, Stage

UPLOADS = ("pixels", "embeddings")
DEFAULT_POOL = 49
"""Tokens of a landmark: a quarter of a full window of SAM's published variants."""


@dataclass(frozen=True, slots=True)
class Options:
    """The choices that modes offer; see `workloads.sam.modes.rounds`."""

    upload: str = "pixels"
    offload_tokenwise: bool = False
    pool: int = DEFAULT_POOL
    tile_encoder: Variant = TILE_ENCODER
    noise: Noise | None = None
    withheld: Withheld = NOTHING

    def __post_init__(self) -> None:
        if self.upload not in UPLOADS:
            raise WorkloadError(
                f"upload: {self.upload!r} is unknown; choose one of {', '.join(UPLOADS)}"
            )
        if self.pool < 1:
            raise WorkloadError(f"pool: {self.pool!r}; give at least 1 token per landmark")
        if self.noise is not None and self.patch_embed:
            raise WorkloadError(
                f"noise: is added to patch embeddings, but upload is {self.upload!r}; "
                "use upload='embeddings'"
            )
        if self.withheld and not self.patch_embed:
            raise WorkloadError(
                f"withhold: is of pixels, but upload is {self.upload!r}; use upload='pixels'"
            )

    @property
    def patch_embed(self) -> bool:
        """Whether the clouds embed the patches."""
        return self.upload == "pixels"


@dataclass(frozen=True, slots=True)
class Sharding:
    """Everything between ``sam.prepare`` and the mask.

    The edge runs ``before``, then the rounds in order; the last one's ``edge`` ends with the
    mask. If ``stateful``, a node keeps tensors of its shard from one round to the next, so a
    shard must stay where it began (or begin again elsewhere).
    """

    mode: str
    before: tuple[Stage, ...]
    rounds: tuple[Round, ...]
    stateful: bool = False


def before(sam: Sam, options: Options) -> tuple[Stage, ...]:
    """Return what the edge runs first: cutting the image, or embedding and cutting its tokens.

    Noise is drawn here, once: all that any cloud gets later is made of tokens that have it.
    """
    if options.patch_embed:
        return (sam.partition(options.withheld),)
    noise = () if options.noise is None else (sam.privatise(options.noise),)
    return (sam.patch_embed(), *noise, sam.split())


def first_upload(sam: Sam, options: Options) -> Callable[[Shard], Payload]:
    """Return what travels up in the first round."""
    return sam.pixels if options.patch_embed else sam.patch_tokens


def last_download(sam: Sam, *, mixes: bool) -> Callable[[Shard], Payload]:
    """Return what comes back when clouds have run every block."""
    return partial(sam.tokens, blocks_done=sam.variant.depth, mixes=mixes)


def ending(sam: Sam) -> tuple[Stage, ...]:
    """Return the stages from the last block's tokens to the mask."""
    return (sam.neck(), sam.decode())
