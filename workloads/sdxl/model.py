"""Stable Diffusion XL as a workload: a prompt, so many steps of denoising, a picture.

The head is both text encoders and the first latent, the middle the denoiser (U-Net), the tail the
scheduler's step and the decoder. With guidance the denoiser sees each latent twice, with the prompt
and with the one to avoid (Ho, Salimans 2022, arXiv 2207.12598); what leaves it is one prediction.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import inf, prod

from workloads.errors import WorkloadError
from workloads.sdxl import costs
from workloads.sdxl.variants import Variant
from workloads.stage import ChainLink, Payload, Stage
from workloads.work import Work, require_precision, stage_of

PROMPT_BYTES = 4
"""Of a token's number, as it travels."""

RAW_BYTES = 3
"""Of a pixel of the answer: 8-bit red, green and blue."""

PREVIEW = 4
"""A preview decodes the latent shrunk so many times: a picture of a quarter of the sides."""

SCHEDULERS = ("euler", "ddim", "dpmpp-2m")
"""Of `diffusers`, none of which draws anything: ``EulerDiscreteScheduler``, ``DDIMScheduler`` and
``DPMSolverMultistepScheduler`` of second order, which looks back one step."""

TRAINED_STEPS = 1000
"""Steps that the denoiser was trained with; schedulers visit fewer of them."""


@dataclass(frozen=True, slots=True)
class Sdxl:
    """One picture in ``steps`` steps; implements `workloads.stage.Model`.

    ``width_px`` and ``height_px`` are multiples of 32; ``guidance`` says that a prompt to avoid is
    looked at as well, and ``guidance_scale`` (above 1) how far to go from its noise towards the
    other prompt's. ``scheduler`` is one of `SCHEDULERS`. Raises `WorkloadError` for impossible
    values.
    """

    variant: Variant
    steps: int = 30
    width_px: int = 1024
    height_px: int = 1024
    guidance: bool = True
    precision: str = "fp16"
    scheduler: str = "euler"
    guidance_scale: float = 5.0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise WorkloadError(f"painting.steps: {self.steps!r}; give at least 1")
        if self.steps >= TRAINED_STEPS:
            raise WorkloadError(f"painting.steps: {self.steps!r}; give less than {TRAINED_STEPS}")
        if self.scheduler not in SCHEDULERS:
            raise WorkloadError(
                f"painting.scheduler: {self.scheduler!r} is unknown; choose one of "
                f"{', '.join(SCHEDULERS)}"
            )
        if not 1 < self.guidance_scale < inf:
            raise WorkloadError(
                f"painting.guidance_scale: {self.guidance_scale!r}; give more than 1, or "
                "guidance: false"
            )
        for name in ("width_px", "height_px"):
            value = getattr(self, name)
            if value < 1 or value % 32:
                raise WorkloadError(f"painting.{name}: {value!r}; give a multiple of 32")
        require_precision("sdxl.precision", self.precision)

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.variant.name

    @property
    def prompts(self) -> int:
        """How many prompts are looked at: with guidance the one to avoid, too."""
        return 2 if self.guidance else 1

    @property
    def remembers(self) -> bool:
        """Whether the scheduler looks back at the noise of earlier steps."""
        return self.scheduler == "dpmpp-2m"

    @property
    def shard_fractions(self) -> tuple[float, ...]:
        """The prompt is one part: nodes hold it or do not."""
        return (1.0,)

    @property
    def captured(self) -> Payload:
        """The prompts as token numbers."""
        count = self.prompts * self.variant.text_tokens
        return Payload("prompt", (0,), tokens=count, fixed_bytes=float(PROMPT_BYTES * count))

    @property
    def model_input(self) -> Payload:
        """The prompts; nothing is lost in preparing them."""
        return self.captured

    @property
    def prepare(self) -> Stage:
        """Look at the prompt: tokenisation is work of the processor, too little to count."""
        return Stage("sdxl.prepare", 0.0, self.captured.fixed_bytes, precision=self.precision)

    @property
    def chain(self) -> tuple[ChainLink, ...]:
        """The text encoders, each step, and the decoder."""
        return _chain(self)

    @property
    def told(self) -> tuple[Payload, ...]:
        """What the denoiser is told of the prompts: each token's embedding, the pooled one, sizes.

        Six sizes per prompt, four bytes each, are beside the point of any codec.
        """
        depth = max(encoder.layers for encoder in self.variant.encoders)
        count, each = self.prompts * self.variant.text_tokens, self.variant.unet.context
        pooled = self.prompts * self.variant.pooled
        return (
            Payload("embedding", (), count * each, count, depth, mixes=True),
            Payload("pooled", (), pooled, self.prompts, depth, mixes=True),
            Payload("sizes", fixed_bytes=float(4 * costs.SIZES * self.prompts)),
        )

    def latent(self, done: int) -> Payload:
        """Return the latent after ``done`` steps, which stand in for depth.

        >>> from workloads.codec import CODECS
        >>> from workloads.sdxl.variants import VARIANTS
        >>> Sdxl(VARIANTS["sdxl-base"]).latent(0).encoded_bytes(CODECS["fp32"])
        262144.0
        """
        return self._field("latent", done)

    def noise(self, done: int) -> Payload:
        """Return the noise predicted after ``done`` steps.

        Each of its channels is a token, so that codecs scale it by itself: 12 bytes more than for
        all at once, and with int4 the last latent is off by 9.8 % instead of 11.0 % where noise
        travels, by 18.7 % instead of 27.4 % where latents do, too (``sdxl-small``, 8 steps).
        """
        return self._field("noise", done)

    def encode(self) -> Stage:
        """Return both text encoders on every prompt."""
        return _encode(self)

    def denoise(self, done: int) -> Stage:
        """Return the denoiser's prediction after ``done`` steps."""
        return _denoise(self, done)

    def schedule(self, done: int, codec: str = "") -> Stage:
        """Return the scheduler's step ``done``: latent and noise read, the next latent written.

        Whoever made the noise gives the ``codec`` that it is sent with, so that both ends step on
        the same numbers. They must have the same latent as well: one that is sent to be stepped on
        has to travel as it is.
        """
        return _schedule(self, done, codec)

    def preview(self, done: int) -> Stage:
        """Return decoding a small picture of the latent after ``done`` steps; see `PREVIEW`."""
        return _preview(self, done)

    def decode(self) -> Stage:
        """Return turning the last latent into the picture."""
        return _decode(self)

    @property
    def image(self) -> Payload:
        """The picture, as raw pixels."""
        return Payload("image", fixed_bytes=float(RAW_BYTES * self.width_px * self.height_px))

    @property
    def preview_px(self) -> tuple[int, int]:
        """Width and height of a preview."""
        height, width = (self.variant.scale * max(1, side // PREVIEW) for side in self.latent_size)
        return width, height

    @property
    def latent_size(self) -> tuple[int, int]:
        """Height and width of the latent."""
        return self.height_px // self.variant.scale, self.width_px // self.variant.scale

    def _field(self, tensor: str, done: int) -> Payload:
        height, width = self.latent_size
        channels = self.variant.unet.latent_channels
        return Payload(tensor, (), channels * height * width, channels, done, mixes=True)


@lru_cache(maxsize=1 << 8)
def _encode(sdxl: Sdxl) -> Stage:
    work, table = Work(), 0
    for encoder in sdxl.variant.encoders:
        work += costs.encode(encoder).batched(sdxl.prompts)
        table += costs.table_parameters(encoder)
    return stage_of("sdxl.encode", work, sdxl.precision, makes=sdxl.told[0], unread=table)


@lru_cache(maxsize=1 << 12)
def _denoise(sdxl: Sdxl, done: int) -> Stage:
    tokens = sdxl.variant.text_tokens
    work = costs.unet(sdxl.variant.unet, *sdxl.latent_size, tokens).batched(sdxl.prompts)
    return stage_of("sdxl.denoise", work, sdxl.precision, makes=sdxl.noise(done))


@lru_cache(maxsize=1 << 12)
def _schedule(sdxl: Sdxl, done: int, codec: str) -> Stage:
    elements = sdxl.latent(done).elements
    work = Work(moved=3 * elements, launches=2)
    return stage_of("sdxl.schedule", work, sdxl.precision, makes=sdxl.latent(done + 1), codec=codec)


@lru_cache(maxsize=1 << 12)
def _preview(sdxl: Sdxl, done: int) -> Stage:
    height, width = (max(1, side // PREVIEW) for side in sdxl.latent_size)
    work = Work(moved=sdxl.latent(done).elements, launches=1)
    work += costs.decode(sdxl.variant.decoder, height, width)
    pixels = prod(sdxl.preview_px)
    picture = Payload("preview", fixed_bytes=float(RAW_BYTES * pixels), blocks_done=done)
    return stage_of("sdxl.preview", work, sdxl.precision, makes=picture)


@lru_cache(maxsize=1 << 8)
def _decode(sdxl: Sdxl) -> Stage:
    work = costs.decode(sdxl.variant.decoder, *sdxl.latent_size)
    return stage_of("sdxl.decode", work, sdxl.precision, makes=sdxl.image)


@lru_cache(maxsize=1 << 8)
def _chain(sdxl: Sdxl) -> tuple[ChainLink, ...]:
    """Return the chain; between steps both the embeddings and the latent have to travel."""
    links = [ChainLink(sdxl.encode(), _between(sdxl, 0))]
    for done in range(sdxl.steps):
        links += [
            ChainLink(sdxl.denoise(done), _between(sdxl, done, with_noise=True)),
            ChainLink(sdxl.schedule(done), _between(sdxl, done + 1)),
        ]
    return (*links, ChainLink(sdxl.decode(), sdxl.image))


def _between(sdxl: Sdxl, done: int, *, with_noise: bool = False) -> Payload:
    fields = 2 if with_noise else 1
    elements = sum(each.elements for each in sdxl.told) + fields * sdxl.latent(done).elements
    sizes_bytes = sum(each.fixed_bytes for each in sdxl.told)
    return Payload("latent", (), elements, 1, done, mixes=True, fixed_bytes=sizes_bytes)
