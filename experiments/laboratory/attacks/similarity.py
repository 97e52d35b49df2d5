"""Structural similarity (SSIM; Wang et al. 2004), window 11×11, Gaussian with σ = 1.5 pixels."""

from math import gcd
from typing import Final

import numpy as np
import torch
from torch import Tensor

from experiments.laboratory.attacks.metrics import Scores
from experiments.laboratory.attacks.pictures import Pictures, Seen
from experiments.laboratory.packages import metric

SIGMA_PX: Final = 1.5
"""torchmetrics makes the window 2·⌊3.5·σ + 0.5⌋ + 1 = 11 pixels wide of it."""
AT_ONCE: Final = 32
"""Pictures whose maps are in the processor's cache together."""
ABREAST: Final = 4
"""Pictures whose colours are channels of one: a convolution of three channels idles."""


def ssim(reconstructed: Pictures, truth: Pictures, where: Seen | None = None) -> Scores:
    """Return the SSIM of each picture: the mean of its map over pixels, or over the whole.

    Colours count as channels of their own; past the edges pictures go on mirrored. On no pixel it
    is not a number. Raises `RealRunError` where torchmetrics is not installed.
    """
    if where is not None and not where.any():
        return np.full(len(truth), np.nan)
    found = [np.empty(0)]
    for first in range(0, len(truth), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        over = _map(reconstructed[part], truth[part]).mean(axis=-1)
        chosen = over if where is None else over[:, where]
        found.append(chosen.reshape(len(over), -1).mean(axis=1))
    return np.concatenate(found)


def _map(reconstructed: Pictures, truth: Pictures) -> Scores:
    """Return the SSIM around each pixel, (n, side, side, 3)."""
    # In single precision, and channels innermost in memory: of channels apart, torch has no quick
    # convolution in double (48 times), and a slower one with channels outermost (3 times).
    abreast = gcd(len(truth), ABREAST)
    _, over = metric("image", "structural_similarity_index_measure")(
        *(_laid(each, abreast) for each in (reconstructed, truth)),
        sigma=SIGMA_PX,
        reduction="none",
        data_range=1.0,
        return_full_image=True,
    )
    return np.asarray(over.reshape(len(truth), 3, *over.shape[2:]).permute(0, 2, 3, 1).numpy())


def _laid(pictures: Pictures, abreast: int) -> Tensor:
    """Return pictures with the colours of so many as channels, (n / abreast, channels, …)."""
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    laid = planes.reshape(len(pictures) // abreast, 3 * abreast, *planes.shape[2:])
    return laid.contiguous(memory_format=torch.channels_last)
