"""From when on a reconstruction counts as a success: what guessing reaches once in a thousand.

A fixed threshold says nothing: where pictures are alike, their mean is similar to all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from experiments.laboratory.attacks.metrics import Scores
from experiments.statistics.estimates import quantile_of

PERCENTILE: Final = 99.9


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What both figures of a picture, on unseen pixels, have to reach for a success."""

    ssim: float
    psnr_db: float

    def passed(self, ssim: Scores, psnr_db: Scores) -> npt.NDArray[np.bool_]:
        """Return which pictures are successes: not where a figure is not a number."""
        return np.asarray((ssim >= self.ssim) & (psnr_db >= self.psnr_db))


def thresholds(baselines: Sequence[tuple[Scores, Scores]]) -> Thresholds:
    """Return the 99.9th percentiles that baselines without information reach, the best of each.

    ``baselines`` holds SSIM and PSNR of each of them, on unseen pixels of the calibration split.
    A percentile is an order statistic: of fewer than 1,000 pictures the largest. Raises
    `ValueError` where there is nothing to rank, or what is no number.
    """
    found = []
    for name, column in (("ssim", 0), ("psnr_db", 1)):
        figures = [each[column] for each in baselines]
        if not figures or any(not len(each) or np.isnan(each).any() for each in figures):
            raise ValueError(f"baselines: {name} has no figures, or some that are no numbers")
        found.append(max(quantile_of(each, PERCENTILE / 100) for each in figures))
    return Thresholds(*found)
