"""Does a deadline hold at a quantile? An answer with an interval, or "too few samples to say".

The question is put to the fraction of requests that meet the deadline: it holds at quantile q
where that fraction is at least q. The bounds are one-sided, each at the wanted confidence, and
the wider of two: Student's t over replications, whose requests are correlated (over batches of a
single replication's), and Clopper-Pearson over all requests, which knows that a thousand
successes are not a certainty.

Where there is no steady state the deadline is missed, whatever the requests seen so far: latency
grows for as long as load lasts, and so beyond any deadline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil, log, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, stdtrit

from experiments.saturation import Saturation
from experiments.statistics.batches import batch_quantile, batching
from experiments.statistics.estimates import Estimate, estimate, quantile_of

QUANTILE: Final = 0.99
CONFIDENCE: Final = 0.95
"""What is judged, and how surely, where nobody says otherwise."""


class Answer(Enum):
    """What can be said, with the program's exit status."""

    HOLDS = 0
    MISSED = 1
    UNDECIDED = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer; ``met`` is the fraction within the deadline, ``quantile_s`` the latency there.

    ``samples_needed`` is the least number of requests that could show the deadline to hold.
    """

    answer: Answer
    met: Estimate
    quantile_s: Estimate
    samples: int
    samples_needed: int


def judge(
    latencies_s: Sequence[Sequence[float]],
    deadline_s: float,
    quantile: float,
    confidence: float,
    saturation: Saturation | None = None,
) -> Verdict:
    """Judge the latencies of several replications; a failed request's latency is infinite.

    A single replication's are in the order of arrival.
    """
    met = [np.asarray(each) <= deadline_s for each in latencies_s]
    samples = sum(len(each) for each in latencies_s)
    low, high = _bounds(met, confidence)
    if saturation or high < quantile:
        answer = Answer.MISSED
    elif low >= quantile:
        answer = Answer.HOLDS
    else:
        answer = Answer.UNDECIDED
    return Verdict(
        answer,
        Estimate(float(np.mean([each.mean() for each in met])), low, high),
        _latency(latencies_s, quantile, confidence),
        samples,
        ceil(log(1 - confidence) / log(quantile)),
    )


def _latency(
    latencies_s: Sequence[Sequence[float]], quantile: float, confidence: float
) -> Estimate:
    if len(latencies_s) == 1:
        return batch_quantile(latencies_s[0], quantile, confidence)
    return estimate([quantile_of(each, quantile) for each in latencies_s], confidence)


def _bounds(met: Sequence[npt.NDArray[np.bool_]], confidence: float) -> tuple[float, float]:
    """Return the lower and the upper one-sided bound of the fraction met."""
    fractions = [float(each.mean()) for each in met]
    samples = sum(len(each) for each in met)
    fraction = float(np.mean(fractions))
    successes = round(fraction * samples)
    low = (
        float(betaincinv(successes, samples - successes + 1, 1 - confidence)) if successes else 0.0
    )
    high = (
        float(betaincinv(successes + 1, samples - successes, confidence))
        if successes < samples
        else 1.0
    )
    margin = _margin(met, fractions, confidence)
    return max(0.0, min(low, fraction - margin)), min(1.0, max(high, fraction + margin))


def _margin(
    met: Sequence[npt.NDArray[np.bool_]], fractions: Sequence[float], confidence: float
) -> float:
    """Return Student's margin over replications, or over batches of a single one."""
    if len(met) == 1:
        cut = batching(met[0])
        return cut.margin(confidence) if cut else 0.0
    spread = float(np.std(fractions, ddof=1)) / sqrt(len(fractions))
    return float(stdtrit(len(fractions) - 1, confidence)) * spread
