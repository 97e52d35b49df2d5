"""A SAM as a function that can be differentiated, its blocks in the order of a mode."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from experiments.laboratory.training.apart import Division, global_block
from experiments.laboratory.training.lessons import Lesson
from experiments.laboratory.training.orders import Order
from real_runner.shards import pixels
from real_runner.shards.decoder import embedded
from workloads.sam.variants import Variant
from workloads.sam.withholding import NOTHING, Withheld


def levels(
    sam: Any,
    variant: Variant,
    pictures: Tensor,
    order: Order,
    division: Division | None = None,
    withheld: Withheld = NOTHING,
) -> Iterator[Tensor]:
    """Yield tokens (pictures, grid, grid, dim) before all blocks, and after each as it is run.

    Pictures are colours from 0 to 255, (pictures, 3, side, side), of the variant's size.
    Where there is a ``division``, global attention is inside of its shards. What is withheld of
    pixels, which must be uint8 then, comes in before the first global block.
    """
    encoder = sam.image_encoder
    sent = without(variant, pictures, withheld) if withheld else pictures
    tokens = encoder.patch_embed((sent.float() - sam.pixel_mean) / sam.pixel_std)
    tokens = tokens + encoder.pos_embed
    yield tokens
    deferred = (*variant.windowed_blocks, *variant.global_blocks)
    for block in deferred if order == "deferred" else range(variant.depth):
        layer = encoder.blocks[block]
        if withheld and block == variant.global_blocks[0]:
            tokens = tokens + _restored(sam, pictures, sent)
        if division is not None and block in variant.global_blocks:
            tokens = global_block(layer, tokens, variant, division)
        else:
            tokens = layer(tokens)
        yield tokens


def embeddings(sam: Any, run: Iterable[Tensor]) -> Tensor:
    """Return embeddings (pictures, channels, grid, grid) of tokens run as `levels` yields them."""
    *_, tokens = run
    made: Tensor = sam.image_encoder.neck(tokens.permute(0, 3, 1, 2))
    return made


def without(variant: Variant, pictures: Tensor, withheld: Withheld) -> Tensor:
    """Return pictures as clouds see them where something is withheld."""
    squares = pictures.permute(0, 2, 3, 1).cpu().numpy()
    sent = np.stack([pixels.without(variant, square, withheld) for square in squares])
    return torch.from_numpy(sent).permute(0, 3, 1, 2).to(pictures.device)


def _restored(sam: Any, pictures: Tensor, sent: Tensor) -> Tensor:
    """Return what the difference between pictures and what was sent of them adds to embeddings."""
    layer = sam.image_encoder.patch_embed.proj
    difference = (pictures.float() - sent.float()) / sam.pixel_std
    made = functional.conv2d(difference, layer.weight, stride=layer.stride)
    return made.permute(0, 2, 3, 1)


def masks(sam: Any, embedding: Tensor, lesson: Lesson) -> tuple[Tensor, Tensor]:
    """Return all four masks of each prompt on a picture, as logits, and what SAM thinks of them.

    ``embedding`` is (1, channels, grid, grid); masks are (prompts, 4, 4·grid, 4·grid), the first
    for a prompt that is clear, three more for one that is not; qualities are (prompts, 4).
    """
    encoder, prompts = sam.prompt_encoder, lesson.prompts.to(embedding.device)
    dense = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
    found: tuple[Tensor, Tensor] = sam.mask_decoder.predict_masks(
        image_embeddings=embedding,
        image_pe=encoder.get_dense_pe(),
        sparse_prompt_embeddings=embedded(encoder, prompts),
        dense_prompt_embeddings=dense.expand(len(prompts), -1, *encoder.image_embedding_size),
    )
    return found
