"""Prompts and the embedding to masks: SAM's prompt encoder and mask decoder as one function."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from real_runner.errors import StepError
from real_runner.shards.pixels import content_px
from workloads.sam.model import Sam

Prompts = npt.NDArray[np.float32]

LABELS = (-1, 0, 1, 2, 3)
"""Padding, a point of the background, one of the object, a box's first and second corner."""


def checked_prompts(sam: Sam, prompts: npt.NDArray[Any]) -> Prompts:
    """Return ``prompts`` if they are what ``sam`` asks for, else raise `StepError`.

    Shape (prompts, 2, 3), float32: two points of x and y, in pixels of the captured image, and
    a label, one of `LABELS`.
    """
    wanted = (sam.prompts, 2, 3)
    if prompts.shape != wanted or prompts.dtype != np.float32:
        raise StepError(f"prompt: {prompts.dtype} of shape {prompts.shape}; give float32, {wanted}")
    if not np.isfinite(prompts).all():
        raise StepError("prompt: holds numbers that are not finite; give pixels")
    labels = prompts[..., 2]
    if not np.isin(labels, LABELS).all():
        strange = labels[~np.isin(labels, LABELS)][0]
        raise StepError(f"prompt: label {strange} is unknown; give one of {LABELS}")
    return prompts


class Decoder:
    """The decoder with the weights in ``module``, a ``Sam`` of ``segment_anything``.

    The prompt encoder stays in single precision: its positions are computed in it whatever the
    model's own precision.
    """

    def __init__(self, sam: Sam, module: Any) -> None:
        self._sam = sam
        self.module = module
        self._prompt_encoder = module.prompt_encoder
        self._decoder = module.mask_decoder

    def masks(self, embedding: Tensor, prompts: Prompts) -> npt.NDArray[np.uint8]:
        """Return the masks of the resized square, eight pixels a byte, prompt after prompt.

        ``embedding`` is (1, channels, grid, grid).
        """
        low = self.logits(embedding, prompts)
        side = self._sam.variant.image_px
        exact = low if low.dtype == torch.float64 else low.float()
        full = functional.interpolate(exact, (side, side), mode="bilinear", align_corners=False)
        return np.packbits((full > 0.0).cpu().numpy())

    def logits(self, embedding: Tensor, prompts: Prompts) -> Tensor:
        """Return one mask per prompt before upsampling, (prompts, 1, 4·grid, 4·grid)."""
        encoder = self._prompt_encoder
        dense = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        sparse = embedded(encoder, torch.from_numpy(self._on_square(prompts)).to(dense.device))
        masks: Tensor = self._decoder(
            image_embeddings=embedding,
            image_pe=encoder.get_dense_pe().to(embedding.dtype),
            sparse_prompt_embeddings=sparse.to(embedding.dtype),
            dense_prompt_embeddings=dense.to(embedding.dtype).expand(
                len(prompts), -1, *encoder.image_embedding_size
            ),
            multimask_output=False,
        )[0]
        return masks

    def _on_square(self, prompts: Prompts) -> Prompts:
        """Return prompts with their places on the resized square, as ``apply_coords`` does."""
        image = self._sam.image
        height, width = content_px(image, self._sam.variant.image_px)
        moved = prompts.astype(np.float64)
        moved[..., 0] *= width / image.width_px
        moved[..., 1] *= height / image.height_px
        return moved.astype(np.float32)


def embedded(prompt_encoder: Any, prompts: Tensor) -> Tensor:
    """Return the embeddings of prompts on the resized square, (prompts, 2, channels).

    ``prompts`` are as `checked_prompts` has them, ``prompt_encoder`` is `segment_anything`'s.
    """
    labels = prompts[..., 2].long()
    places = prompt_encoder.pe_layer.forward_with_coords(
        prompts[..., :2] + 0.5, prompt_encoder.input_image_size
    )
    kinds = [prompt_encoder.not_a_point_embed, *prompt_encoder.point_embeddings]
    table = torch.cat([kind.weight for kind in kinds])
    known: Tensor = torch.where((labels == -1)[..., None], 0.0, places)
    return known + table[labels + 1]
