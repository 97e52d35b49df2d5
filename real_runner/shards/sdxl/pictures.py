"""From latents to pictures, as the pipeline and its ``VaeImageProcessor`` have it."""

from typing import Any

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from real_runner.shards.sdxl.board import Bytes
from workloads.sdxl.model import PREVIEW


def decoded(vae: Any, latent: torch.Tensor) -> Bytes:
    """Return the picture of a latent (1, channels, height, width): RGB, row by row, as bytes."""
    scaled = latent.to(vae.dtype) / vae.config.scaling_factor
    colours = (vae.decode(scaled, return_dict=False)[0] * 0.5 + 0.5).clamp(0, 1)
    pixels = colours.cpu().permute(0, 2, 3, 1).float().numpy()
    picture: Bytes = (pixels * 255).round().astype(np.uint8).reshape(-1)
    return picture


def shrunk(latent: torch.Tensor) -> torch.Tensor:
    """Return a latent of a quarter of the sides, each number the mean of those it stands for."""
    height, width = (max(1, side // PREVIEW) for side in latent.shape[-2:])
    return adaptive_avg_pool2d(latent, (height, width))
