"""Does a deadline hold at a quantile? An answer with an interval, or "too few samples to say".

The question is put to the fraction of requests that meet the deadline: it holds at quantile q
where that fraction is at least q. The bounds are one-sided, each at the wanted confidence, and
the wider of two: Student's t over replications, whose requests are correlated, and
Clopper-Pearson over all requests, which knows that a thousand successes are not a certainty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil, log

import numpy as np
from scipy.special import betaincinv, stdtrit

from experiments.metrics import Estimate, estimate, quantile_of


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
    latencies_s: Sequence[Sequence[float]], deadline_s: float, quantile: float, confidence: float
) -> Verdict:
    """Judge the latencies of several replications; a failed request's latency is infinite."""
    met = [float(np.mean(np.asarray(each) <= deadline_s)) for each in latencies_s]
    samples = sum(len(each) for each in latencies_s)
    low, high = _bounds(met, samples, confidence)
    if low >= quantile:
        answer = Answer.HOLDS
    elif high < quantile:
        answer = Answer.MISSED
    else:
        answer = Answer.UNDECIDED
    return Verdict(
        answer,
        Estimate(float(np.mean(met)), low, high),
        estimate([quantile_of(each, quantile) for each in latencies_s], confidence),
        samples,
        ceil(log(1 - confidence) / log(quantile)),
    )


def _bounds(met: Sequence[float], samples: int, confidence: float) -> tuple[float, float]:
    """Return the lower and the upper one-sided bound of the fraction met."""
    fraction = float(np.mean(met))
    successes = round(fraction * samples)
    low = (
        float(betaincinv(successes, samples - successes + 1, 1 - confidence)) if successes else 0.0
    )
    high = (
        float(betaincinv(successes + 1, samples - successes, confidence))
        if successes < samples
        else 1.0
    )
    if len(met) < 2:
        return low, high
    margin = float(stdtrit(len(met) - 1, confidence) * np.std(met, ddof=1) / np.sqrt(len(met)))
    return max(0.0, min(low, fraction - margin)), min(1.0, max(high, fraction + margin))
