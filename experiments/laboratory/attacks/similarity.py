"""Structural similarity (SSIM; Wang et al. 2004), window 11×11, Gaussian with σ = 1.5 pixels."""

from typing import Final

import numpy as np
import torch

from experiments.laboratory.attacks.metrics import CHUNK, Scores
from experiments.laboratory.attacks.pictures import Pictures, Seen
from experiments.laboratory.packages import metric

SIGMA_PX: Final = 1.5
"""torchmetrics makes the window 2·⌊3.5·σ + 0.5⌋ + 1 = 11 pixels wide of it."""


def ssim(reconstructed: Pictures, truth: Pictures, where: Seen | None = None) -> Scores:
    """Return the SSIM of each picture: the mean of its map over pixels, or over the whole.

    Colours count as channels of their own; past the edges pictures go on mirrored. On no pixel it
    is not a number. Raises `RealRunError` where torchmetrics is not installed.
    """
    if where is not None and not where.any():
        return np.full(len(truth), np.nan)
    found = [np.empty(0)]
    for first in range(0, len(truth), CHUNK):
        part = slice(first, first + CHUNK)
        over = _map(reconstructed[part], truth[part]).mean(axis=-1)
        chosen = over if where is None else over[:, where]
        found.append(chosen.reshape(len(over), -1).mean(axis=1))
    return np.concatenate(found)


def _map(reconstructed: Pictures, truth: Pictures) -> Scores:
    """Return the SSIM around each pixel, (n, side, side, 3)."""
    # In single precision, and colours innermost in memory as they are: of channels apart, torch has
    # no quick convolution in double (48 times), and a slower one with colours outermost (3 times).
    _, over = metric("image", "structural_similarity_index_measure")(
        *(torch.from_numpy(each).permute(0, 3, 1, 2) for each in (reconstructed, truth)),
        sigma=SIGMA_PX,
        reduction="none",
        data_range=1.0,
        return_full_image=True,
    )
    return np.asarray(over.permute(0, 2, 3, 1).numpy())
