"""How good masks are, beside those that are wanted and those of the unsplit model."""

from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import bootstrap

from experiments.laboratory.subjects import Masks

Floats = npt.NDArray[np.float64]
RESAMPLES: Final = 2000
CONFIDENCE: Final = 0.95


def overlap(found: Masks, wanted: Masks) -> Floats:
    """Return the intersection over union of each pair of masks; 1 where both are empty."""
    union = (found | wanted).sum(axis=(-2, -1))
    common = (found & wanted).sum(axis=(-2, -1))
    return np.where(union == 0, 1.0, common / np.maximum(union, 1))


@dataclass(frozen=True, slots=True)
class Share:
    """A ratio of two means over the same pictures, with its interval (95 %).

    Pictures are drawn with replacement, each with all prompts on it: those are not independent. It
    is no number where the unsplit model finds nothing at all.
    """

    value: float
    low: float
    high: float


def retained(scores: pd.Series, unsplit: pd.Series, pictures: pd.Series, seed: int) -> Share:
    """Return the mean of ``scores`` over that of ``unsplit``, prompt by prompt on ``pictures``."""
    frame = pd.DataFrame({"a": scores.to_numpy(), "b": unsplit.to_numpy()})
    sums = frame.groupby(pictures.to_numpy(), sort=False).sum()
    return _ratio(sums["a"].to_numpy(), sums["b"].to_numpy(), seed)


def _ratio(above: Floats, below: Floats, seed: int) -> Share:
    if not below.any():
        return Share(nan, nan, nan)
    value = float(above.sum() / below.sum())
    if len(above) < 2 or np.allclose(above, value * below, rtol=1e-12, atol=0):
        return Share(value, value, value)  # nothing varies: whatever is drawn comes to the same
    found = bootstrap(
        (above, below),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=100,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Share(value, float(found.low), float(found.high))
