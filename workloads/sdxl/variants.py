"""Every number of Stable Diffusion XL's architecture, in one place.

Source: the configurations in stabilityai/stable-diffusion-xl-base-1.0 (``unet/config.json``,
``vae/config.json``, ``text_encoder/config.json``, ``text_encoder_2/config.json``); Podell et al.,
"SDXL: Improving Latent Diffusion Models for High-Resolution Image Synthesis", 2023, table 1.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """A CLIP text encoder; ``projection`` is the width of its pooled output, 0: none."""

    dim: int
    layers: int
    intermediate: int
    projection: int = 0
    vocabulary: int = 49_408
    tokens: int = 77


@dataclass(frozen=True, slots=True)
class Unet:
    """The denoiser: per level channels and transformer blocks (0: only convolutions).

    ``context`` is the width of the prompt's embedding, ``time`` that of a step's,
    ``added`` that of the pooled embedding beside six sizes of ``size_embedding`` each.
    """

    channels: tuple[int, ...]
    transformers: tuple[int, ...]
    context: int
    time: int
    added: int
    size_embedding: int = 256
    resnets: int = 2
    latent_channels: int = 4


@dataclass(frozen=True, slots=True)
class Decoder:
    """The decoder of the autoencoder: from ``latent_channels`` to an 8 times larger picture."""

    channels: tuple[int, ...]
    resnets: int = 3
    latent_channels: int = 4


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
            encoders=(TextEncoder(768, 12, 3072), TextEncoder(1280, 32, 5120, projection=1280)),
            unet=Unet((320, 640, 1280), (0, 2, 10), context=2048, time=1280, added=2816),
            decoder=Decoder((512, 512, 256, 128)),
        ),
    )
}
