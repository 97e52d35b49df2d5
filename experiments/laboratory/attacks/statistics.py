"""How sure a rate of success is, and how attacks do on the pictures they do best on."""

from dataclasses import dataclass
from itertools import count
from math import ceil
from typing import Final

import numpy as np
from scipy.special import betaincinv

from experiments.laboratory.attacks.metrics import Scores
from experiments.statistics.estimates import quantile_of

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Proportion:
    """Successes in independent trials, and Clopper and Pearson's exact bounds of their rate.

    ``low`` and ``high`` are those of the two-sided interval, ``below`` is the one-sided upper
    bound: a target is met only if that lies below it (Clopper and Pearson, Biometrika 26, 1934).
    """

    successes: int
    trials: int
    low: float
    high: float
    below: float

    @property
    def rate(self) -> float:
        """The part of the trials that were successes."""
        return self.successes / self.trials


def proportion(successes: int, trials: int, confidence: float = CONFIDENCE) -> Proportion:
    """Return a rate with its bounds; `ValueError` for more successes than trials, or no trial.

    >>> round(proportion(0, 427).below, 5)
    0.00699
    """
    one_sided = (1 + confidence) / 2
    low = 1 - below(trials - successes, trials, one_sided)
    high = below(successes, trials, one_sided)
    return Proportion(successes, trials, low, high, below(successes, trials, confidence))


def below(successes: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided upper bound of a rate; `ValueError` where there can be none.

    It is the rate at which so few successes have a probability of 1 - ``confidence``: a quantile
    of the beta distribution.
    """
    if not 0 <= successes <= trials or not trials:
        raise ValueError(f"successes: {successes} of {trials} trials are no rate")
    if successes == trials:
        return 1.0
    return float(betaincinv(successes + 1, trials - successes, confidence))


def least_trials(successes: int, limit: float, confidence: float = CONFIDENCE) -> int:
    """Return in how many trials so many successes show that the rate is below a limit.

    >>> [least_trials(successes, 0.007) for successes in range(4)]
    [427, 676, 898, 1106]
    """
    few = max(1, successes, ceil((successes + 1) / limit / 2))
    for trials in count(few):  # pragma: no branch - the bound falls to 0
        if below(successes, trials, confidence) < limit:
            return trials
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Summary:
    """How an attack did over pictures, more being worse for privacy.

    ``worst_1`` is the mean of the hundredth of pictures, at least one, on which it did best.
    """

    mean: float
    percentile_95: float
    worst_1: float


def summary(scores: Scores) -> Summary:
    """Return the summary of figures; `ValueError` where there is none."""
    if not len(scores):
        raise ValueError("scores: there are none")
    most = np.sort(scores)[-ceil(len(scores) / 100) :]
    return Summary(float(scores.mean()), quantile_of(scores, 0.95), float(most.mean()))
