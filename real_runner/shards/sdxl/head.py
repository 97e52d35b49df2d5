"""The head: what the denoiser is told of the prompts, and the first latent.

As ``StableDiffusionXLPipeline.encode_prompt`` and ``prepare_latents`` have it, operation for
operation: each prompt by itself through both encoders, the last but one hidden state of each.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from workloads.sdxl.model import Sdxl
from workloads.sdxl.variants import TextEncoder

Numbers = npt.NDArray[np.int32]


class Told(NamedTuple):
    """(1, tokens, context) and (1, pooled) of one prompt."""

    embedding: torch.Tensor
    pooled: torch.Tensor


def told(model: Sdxl, encoders: Sequence[Any], prompts: Numbers) -> Told:
    """Return what the denoiser is told: a row per prompt, the one to avoid first.

    ``prompts`` are (prompts, tokens), the one to follow first. One that is all zeros is no prompt:
    so are its embeddings, as in a pipeline that is given no prompt to avoid.
    """
    followed, *avoided = (_told(model, encoders, tokens) for tokens in prompts)
    rows = [
        each if tokens.any() else Told(*map(torch.zeros_like, followed))
        for each, tokens in zip(avoided, prompts[1:], strict=True)
    ]
    return Told(*(torch.cat(column) for column in zip(*rows, followed, strict=True)))


def sizes(model: Sdxl) -> Numbers:
    """Return per prompt height and width of the picture, no crop, height and width again."""
    size = (model.height_px, model.width_px)
    return np.array([(*size, 0, 0, *size)] * model.prompts, np.int32)


def first_latent(
    model: Sdxl, seed: int, spread: Any, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Return normal numbers of standard deviation ``spread``, the same for the same seed."""
    shape = (1, model.variant.unet.latent_channels, *model.latent_size)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype).to(device) * spread


def padded_for(encoder: TextEncoder, tokens: Numbers) -> Numbers:
    """Return a prompt's tokens, padded after its end as ``encoder`` wants them.

    The encoders share a vocabulary and differ in what they are padded with alone.

    >>> padded_for(TextEncoder(8, 1, 8, vocabulary=5, padding=0), np.array([3, 1, 4, 4, 4]))
    array([3, 1, 4, 0, 0])
    """
    ends = np.flatnonzero(tokens == encoder.end)
    if not len(ends) or encoder.padding < 0:
        return tokens
    behind = np.arange(len(tokens)) > ends[0]
    return np.where(behind, encoder.padding, tokens)


def _told(model: Sdxl, encoders: Sequence[Any], tokens: Numbers) -> Told:
    states = []
    pooled = None
    for encoder, module in zip(model.variant.encoders, encoders, strict=True):
        numbers = torch.from_numpy(padded_for(encoder, tokens).astype(np.int64))[None]
        output = module(numbers.to(module.device), output_hidden_states=True)
        states.append(output.hidden_states[-2])
        if encoder.projection:
            pooled = output[0]
    assert pooled is not None  # noqa: S101 - one of SDXL's encoders has a projection
    return Told(torch.concat(states, dim=-1), pooled)
