"""The modules of Stable Diffusion XL of their libraries' classes, without numbers in them yet.

Built from `workloads.sdxl.variants`, as the configurations of stabilityai's
stable-diffusion-xl-base-1.0 build them; those name the parts as `PARTS` does.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from real_runner.shards.packages import class_named
from workloads.sdxl.variants import TextEncoder, Variant

UNET, VAE, TEXT_ENCODERS = "unet", "vae", ("text_encoder", "text_encoder_2")
PARTS = (UNET, VAE, *TEXT_ENCODERS)

_HIGHEST_ENDS = 2
"""As ``eos_token_id``, which SDXL's encoders have: the pooled output is that of the first token
with the highest number of all."""


def empty(variant: Variant, part: str) -> nn.Module:
    """Return one of `PARTS` on the meta device, ready to compute but for its numbers."""
    with torch.device("meta"):
        module: nn.Module = _BUILDERS[part](variant).eval()
    return module


def unet_settings(variant: Variant) -> dict[str, Any]:
    """Return what a ``UNet2DConditionModel`` is configured with."""
    unet = variant.unet
    attends = [depth > 0 for depth in unet.transformers]
    return {
        "sample_size": 1024 // variant.scale,
        "in_channels": unet.latent_channels,
        "out_channels": unet.latent_channels,
        "block_out_channels": unet.channels,
        "down_block_types": tuple("CrossAttn" * each + "DownBlock2D" for each in attends),
        "up_block_types": tuple("CrossAttn" * each + "UpBlock2D" for each in reversed(attends)),
        "attention_head_dim": tuple(width // unet.head_dim for width in unet.channels),
        "cross_attention_dim": unet.context,
        "transformer_layers_per_block": tuple(max(1, depth) for depth in unet.transformers),
        "layers_per_block": unet.resnets,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": unet.size_embedding,
        "projection_class_embeddings_input_dim": unet.added,
        "use_linear_projection": True,
        "norm_num_groups": unet.groups,
    }


def vae_settings(variant: Variant) -> dict[str, Any]:
    """Return what an ``AutoencoderKL`` is configured with."""
    decoder = variant.decoder
    levels = len(decoder.channels)
    return {
        "block_out_channels": decoder.channels[::-1],
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "layers_per_block": decoder.resnets - 1,
        "latent_channels": decoder.latent_channels,
        "norm_num_groups": decoder.groups,
        "scaling_factor": decoder.scaling,
    }


def encoder_settings(encoder: TextEncoder) -> dict[str, Any]:
    """Return what a ``CLIPTextConfig`` is made of."""
    return {
        "hidden_size": encoder.dim,
        "intermediate_size": encoder.intermediate,
        "num_hidden_layers": encoder.layers,
        "num_attention_heads": encoder.dim // encoder.head_dim,
        "projection_dim": encoder.projection or encoder.dim,
        "vocab_size": encoder.vocabulary,
        "max_position_embeddings": encoder.tokens,
        "hidden_act": encoder.activation,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": _HIGHEST_ENDS,
    }


def _unet(variant: Variant) -> Any:
    return class_named("diffusers", "UNet2DConditionModel")(**unet_settings(variant))


def _vae(variant: Variant) -> Any:
    """Return the half of the autoencoder that makes pictures of latents."""
    module = class_named("diffusers", "AutoencoderKL")(**vae_settings(variant))
    del module.encoder, module.quant_conv
    return module


def _encoder(number: int) -> Callable[[Variant], Any]:
    def built(variant: Variant) -> Any:
        encoder = variant.encoders[number]
        name = "CLIPTextModelWithProjection" if encoder.projection else "CLIPTextModel"
        config = class_named("transformers", "CLIPTextConfig")(**encoder_settings(encoder))
        return class_named("transformers", name)(config)

    return built


_BUILDERS: dict[str, Callable[[Variant], Any]] = {
    UNET: _unet,
    VAE: _vae,
    **{part: _encoder(number) for number, part in enumerate(TEXT_ENCODERS)},
}
