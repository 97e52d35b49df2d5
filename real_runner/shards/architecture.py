"""SAM of any variant from `segment_anything`'s own classes, with no numbers of ours in it yet."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from real_runner.shards.operators import import_segment_anything
from workloads.sam.variants import TILE_ENCODER, Variant

MASK_INPUT_CHANNELS = 16
EPSILON = 1e-6
"""Of every norm of the encoder, as ``build_sam.py`` has it."""


def empty_sam(variant: Variant) -> nn.Module:
    """Return a `segment_anything.modeling.Sam` on the meta device, as ``build_sam.py`` has it."""
    with torch.device("meta"):
        return new_sam(variant).eval()


def new_sam(variant: Variant) -> nn.Module:
    """Return a `segment_anything.modeling.Sam` with the numbers that its parts begin with.

    Where they are random they follow from torch's seed.
    """
    modeling: Any = import_segment_anything().modeling
    channels, grid = variant.neck_channels, variant.grid_tokens
    sam: nn.Module = modeling.Sam(
        image_encoder=_encoder(modeling, variant),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=channels,
            image_embedding_size=(grid, grid),
            input_image_size=(variant.image_px, variant.image_px),
            mask_in_chans=MASK_INPUT_CHANNELS,
        ),
        mask_decoder=modeling.MaskDecoder(
            transformer_dim=channels,
            transformer=modeling.TwoWayTransformer(
                depth=2, embedding_dim=channels, mlp_dim=2048, num_heads=8
            ),
        ),
    )
    return sam


def empty_tile_encoder(variant: Variant) -> nn.Module:
    """Return the encoder of mode `image` for ``variant``'s images, on the meta device."""
    modeling: Any = import_segment_anything().modeling
    with torch.device("meta"):
        encoder: nn.Module = _encoder(modeling, tile_variant(variant))
    return encoder.eval()


def tile_variant(variant: Variant) -> Variant:
    """Return the tile encoder with as many places for patches as ``variant``'s images have."""
    return replace(TILE_ENCODER, image_px=variant.image_px)


def _encoder(modeling: Any, variant: Variant) -> Any:
    return modeling.ImageEncoderViT(
        img_size=variant.image_px,
        patch_size=variant.patch_px,
        embed_dim=variant.dim,
        depth=variant.depth,
        num_heads=variant.heads,
        mlp_ratio=variant.mlp_ratio,
        out_chans=variant.neck_channels,
        norm_layer=partial(nn.LayerNorm, eps=EPSILON),
        use_rel_pos=variant.relative_position,
        window_size=variant.window_tokens,
        global_attn_indexes=variant.global_blocks,
    )
