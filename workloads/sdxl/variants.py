"""Every number of Stable Diffusion XL's architecture, in one place.

Source: the configurations in stabilityai/stable-diffusion-xl-base-1.0 (``unet/config.json``,
``vae/config.json``, ``text_encoder/config.json``, ``text_encoder_2/config.json``,
``tokenizer_2/tokenizer_config.json``); Podell et al., "SDXL: Improving Latent Diffusion Models for
High-Resolution Image Synthesis", 2023, table 1. ``sdxl-small`` is ours: the same classes at a size
that one processor paints with in seconds, its tokens the bytes of a text.
"""

from dataclasses import dataclass

BYTES = 258
"""The vocabulary of a text taken byte by byte: every byte, a begin and an end."""


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """A CLIP text encoder; ``projection`` is the width of its pooled output, 0: none.

    ``padding`` is the token that fills what a prompt leaves of its ``tokens``; -1: the end's.
    """

    dim: int
    layers: int
    intermediate: int
    projection: int = 0
    vocabulary: int = 49_408
    tokens: int = 77
    activation: str = "quick_gelu"
    padding: int = -1
    head_dim: int = 64

    @property
    def end(self) -> int:
        """The token that ends a prompt: the last there is; the one before it begins a prompt."""
        return self.vocabulary - 1


@dataclass(frozen=True, slots=True)
class Unet:
    """The denoiser: per level channels and transformer blocks (0: only convolutions).

    ``context`` is the width of the prompt's embedding, ``time`` that of a step's,
    ``added`` that of the pooled embedding beside six sizes of ``size_embedding`` each. ``groups``
    is what a norm divides channels into.
    """

    channels: tuple[int, ...]
    transformers: tuple[int, ...]
    context: int
    time: int
    added: int
    size_embedding: int = 256
    resnets: int = 2
    latent_channels: int = 4
    head_dim: int = 64
    groups: int = 32


@dataclass(frozen=True, slots=True)
class Decoder:
    """The autoencoder's decoder: ``latent_channels`` in, colours out, each level doubling sides.

    Latents are ``scaling`` times what it reads, so that the denoiser's inputs are near 1.
    """

    channels: tuple[int, ...]
    resnets: int = 3
    latent_channels: int = 4
    groups: int = 32
    scaling: float = 0.13025


@dataclass(frozen=True, slots=True)
class Variant:
    """One Stable Diffusion XL; pictures are ``scale`` times as wide as latents."""

    name: str
    encoders: tuple[TextEncoder, ...]
    unet: Unet
    decoder: Decoder
    scale: int = 8

    @property
    def text_tokens(self) -> int:
        """Tokens of a prompt, padded."""
        return self.encoders[0].tokens

    @property
    def pooled(self) -> int:
        """Elements of the pooled embedding: that of the encoder with a projection."""
        return sum(encoder.projection for encoder in self.encoders)


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            "sdxl-base",
            encoders=(
                TextEncoder(768, 12, 3072),
                TextEncoder(1280, 32, 5120, projection=1280, activation="gelu", padding=0),
            ),
            unet=Unet((320, 640, 1280), (0, 2, 10), context=2048, time=1280, added=2816),
            decoder=Decoder((512, 512, 256, 128)),
        ),
        Variant(
            "sdxl-small",
            encoders=(
                TextEncoder(32, 2, 128, vocabulary=BYTES, head_dim=16),
                TextEncoder(
                    64,
                    2,
                    256,
                    projection=64,
                    vocabulary=BYTES,
                    activation="gelu",
                    padding=0,
                    head_dim=16,
                ),
            ),
            unet=Unet(
                (32, 64),
                (0, 2),
                context=96,
                time=128,
                added=256,
                size_embedding=32,
                head_dim=16,
                groups=8,
            ),
            decoder=Decoder((64, 32, 16), groups=8),
            scale=4,
        ),
    )
}
