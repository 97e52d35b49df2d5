"""SAM as a workload: its stages and payloads, for the whole image and for any shard of windows.

A shard is a tuple of window indices (`workloads.sam.geometry`). Values are frozen, so everything
that depends on a shard is remembered: policies ask at every request.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from workloads.errors import WorkloadError
from workloads.images import Image, encoding_named
from workloads.privacy import Noise
from workloads.sam import costs, payloads, stages
from workloads.sam.decoder import decode
from workloads.sam.geometry import all_windows, windows
from workloads.sam.variants import Variant
from workloads.sam.withholding import NOTHING, Withheld
from workloads.stage import ChainLink, Payload, Shard, Stage
from workloads.work import Work, require_precision, stage_of


@dataclass(frozen=True, slots=True)
class Sam:
    """One image and its prompts through one SAM; implements `workloads.stage.Model`.

    ``image`` is the captured file. ``prompts`` (points or boxes) become one mask each.
    ``precision`` is that of the arithmetic. ``pixel_encoding`` (a key of
    `workloads.images.ENCODINGS`) is how resized pixels travel to other nodes.

    Raises `WorkloadError` for impossible values.
    """

    variant: Variant
    image: Image = field(default_factory=Image)
    prompts: int = 1
    precision: str = "fp16"
    pixel_encoding: str = "raw"

    def __post_init__(self) -> None:
        if self.prompts < 1:
            raise WorkloadError(f"sam.prompts: {self.prompts!r}; give at least 1")
        require_precision("sam.precision", self.precision)
        encoding_named(self.pixel_encoding, field="sam.pixel_encoding")

    @property
    def name(self) -> str:
        """``sam-`` and the variant's name."""
        return f"sam-{self.variant.name}"

    @property
    def whole(self) -> Shard:
        """The shard that is the whole image."""
        return all_windows(self.variant)

    @property
    def shard_fractions(self) -> tuple[float, ...]:
        """Fraction of the image that each window shows."""
        return tuple(window.fraction for window in windows(self.variant))

    @property
    def captured(self) -> Payload:
        """The image as its file."""
        return Payload("image", self.whole, fixed_bytes=self.image.file_bytes)

    @property
    def model_input(self) -> Payload:
        """The pixels of the whole resized image."""
        return self.pixels(self.whole)

    @property
    def prepare(self) -> Stage:
        """Decode the file and resize it to the model's square."""
        return stages.prepare(self.variant, self.image, self.precision)

    @property
    def chain(self) -> tuple[ChainLink, ...]:
        """Patch embedding, each block on the whole image, neck, and decoder to the masks."""
        return _chain(self)

    def pixels(self, shard: Shard) -> Payload:
        """Return the shard's resized pixels."""
        return payloads.pixels(self.variant, self.pixel_encoding, shard)

    def patch_tokens(self, shard: Shard) -> Payload:
        """Return the shard's patch embeddings, positions added."""
        return self.tokens(shard, 0, mixes=False)

    def tokens(self, shard: Shard, blocks_done: int, *, mixes: bool) -> Payload:
        """Return the shard's tokens after ``blocks_done`` blocks."""
        return payloads.tokens(self.variant, shard, blocks_done, mixes=mixes)

    def stage(
        self,
        kind: str,
        work: Work,
        blocks: tuple[int, ...] = (),
        shard: Shard = (),
        settings: tuple[tuple[str, float], ...] = (),
    ) -> Stage:
        """Return ``work`` as a stage ``sam.kind`` at this model's precision."""
        return stage_of(
            f"sam.{kind}", work, self.precision, blocks=blocks, shard=shard, settings=settings
        )

    def patch_embed(self) -> Stage:
        """Return embedding the patches of the whole image."""
        return self.stage("patch_embed", costs.patch_embedding(self.variant, self.variant.tokens))

    def privatise(self, noise: Noise) -> Stage:
        """Return clipping the whole image's patch embeddings and adding noise to them."""
        return stages.privatise(self.variant, self.precision, noise)

    def windowed(
        self, blocks: tuple[int, ...], shard: Shard = (), *, patch_embed: bool = False
    ) -> Stage:
        """Return windowed blocks on a shard (empty: all), after embedding its pixels if told."""
        return stages.windowed(self.variant, self.precision, blocks, shard, patch_embed=patch_embed)

    def global_block(self, block: int) -> Stage:
        """Return one global block on the whole image."""
        return stages.global_block(self.variant, self.precision, block)

    def local_run(self, shard: Shard, *, patch_embed: bool = True) -> Stage:
        """Return every block on a shard, global attention restricted to the shard's own tokens."""
        return stages.local_run(self.variant, self.precision, shard, patch_embed=patch_embed)

    def partition(self, withheld: Withheld = NOTHING) -> Stage:
        """Return cutting the resized image into shards, without what is withheld."""
        return stages.partition(self.variant, self.pixel_encoding, self.precision, withheld)

    def restore(self, blocks: tuple[int, ...]) -> Stage:
        """Return adding an embedding of what was withheld to all tokens that passed ``blocks``."""
        work = costs.patch_embedding(self.variant, self.variant.tokens)
        return self.stage("restore", work, blocks=blocks)

    def split(self) -> Stage:
        """Return cutting the whole image's tokens into shards: each read and written once."""
        return self.stage("split", costs.cut(self.variant, self.variant.dim))

    def merge(self, elements_per_token: int | None = None) -> Stage:
        """Return putting all shards' tensors together, ``dim`` elements per token by default."""
        each = self.variant.dim if elements_per_token is None else elements_per_token
        return self.stage("merge", costs.cut(self.variant, each))

    def neck(self) -> Stage:
        """Return turning the last block's tokens into the embedding."""
        return self.stage("neck", costs.neck(self.variant, self.variant.tokens))

    def decode(self) -> Stage:
        """Return encoding the prompts and decoding embedding and prompts into masks."""
        return self.stage("decode", decode(self.variant, self.prompts))


@lru_cache
def _chain(sam: Sam) -> tuple[ChainLink, ...]:
    links = [ChainLink(sam.patch_embed(), sam.patch_tokens(sam.whole))]
    mixes = False
    for block in range(sam.variant.depth):
        is_global = block in sam.variant.global_blocks
        mixes = mixes or is_global
        stage = sam.global_block(block) if is_global else sam.windowed((block,))
        links.append(ChainLink(stage, sam.tokens(sam.whole, block + 1, mixes=mixes)))
    last = ChainLink(sam.decode(), payloads.mask(sam.variant, sam.prompts))
    return (*links, ChainLink(sam.neck(), payloads.embedding(sam.variant)), last)
