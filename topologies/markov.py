"""Radio links made up from a seed: a Markov chain of conditions, each with a rate and a delay.

The conditions that ship are *assumptions* (2026-11), chosen so that links of the kind change on
the time scale and over the range that measurements agree on: cellular rates move by an order of
magnitude within seconds, with outages at handovers (Winstein et al., *Stochastic Forecasts Achieve
High Throughput and Low Delay over Cellular Networks*, NSDI 2013), millimetre waves swing between
their peak and next to nothing when something stands in between, Wi-Fi loses airtime to its
neighbours. No number here was measured; for a link that matters, record a trace
(`topologies.mahimahi`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from topologies.errors import TopologyError, suggestion
from topologies.schedules import Schedule, even_schedule

Radio = Literal["lte", "5g", "wifi"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A state of the air: the part of the link's rate that is left, and what delay it adds.

    It lasts `stay_s` in the mean (exponentially distributed), then gives way to another, chosen in
    proportion to `weight`. Within it the rate is lognormal from step to step, with a standard
    deviation of the logarithm of `spread` and the mean that `share` says.
    """

    name: str
    share: float
    stay_s: float
    weight: float
    spread: float = 0.0
    extra_delay_s: float = 0.0


RADIOS: Final[Mapping[str, tuple[Condition, ...]]] = {
    "lte": (
        Condition("good", 1.0, 8.0, 3.0, 0.25),
        Condition("fair", 0.45, 6.0, 4.0, 0.35, 0.005),
        Condition("cell edge", 0.1, 3.0, 2.0, 0.5, 0.02),
        Condition("handover", 0.0, 0.15, 1.0),
    ),
    "5g": (
        Condition("line of sight", 1.0, 5.0, 3.0, 0.2),
        Condition("reflected", 0.3, 3.0, 3.0, 0.4, 0.002),
        Condition("blocked", 0.03, 1.0, 2.0, 0.5, 0.01),
        Condition("handover", 0.0, 0.1, 1.0),
    ),
    "wifi": (
        Condition("free", 1.0, 2.0, 4.0, 0.1),
        Condition("shared", 0.5, 1.0, 3.0, 0.2, 0.002),
        Condition("busy", 0.2, 0.5, 1.0, 0.3, 0.008),
    ),
}


def radio_conditions(radio: str) -> tuple[Condition, ...]:
    """Return the conditions of a kind of radio link.

    Raises TopologyError: an unknown kind; names the nearest.
    """
    if radio not in RADIOS:
        raise TopologyError(f"radio {radio!r} is unknown; {suggestion(radio, RADIOS)}")
    return RADIOS[radio]


def mean_share(conditions: tuple[Condition, ...]) -> float:
    """Return the part of the link's rate that is left in the long run.

    >>> round(mean_share(RADIOS["wifi"]), 3)
    0.796
    """
    visits = _visits(conditions)
    weighed = [visit * c.stay_s for visit, c in zip(visits, conditions, strict=True)]
    shares = [weight * c.share for weight, c in zip(weighed, conditions, strict=True)]
    return float(sum(shares) / sum(weighed))


def radio_schedule(
    conditions: tuple[Condition, ...],
    rate_bits_per_s: float,
    delay_s: float,
    duration_s: float,
    seed: int,
    step_s: float = 0.1,
) -> Schedule:
    """Return a schedule of so many steps as fit `duration_s`, repeating: the same for one seed.

    `rate_bits_per_s` and `delay_s` are those of the link on a good day. What a condition that ends
    within a step leaves of it belongs to the next.

    Raises TopologyError: no step fits, or fewer than two conditions.
    """
    steps = round(duration_s / step_s) if step_s > 0 else 0
    if steps < 1 or len(conditions) < 2:
        raise TopologyError(
            f"radio: {len(conditions)} conditions, {duration_s} s in steps of {step_s} s; "
            "give two conditions at least, and a duration of one step at least"
        )
    rng = np.random.default_rng(seed)
    current = int(rng.choice(len(conditions), p=_shares_of_time(conditions)))
    left_s = rng.exponential(conditions[current].stay_s)
    rates, delays = [], []
    for _ in range(steps):
        while left_s <= 0:
            current = _next(current, conditions, rng)
            left_s += rng.exponential(conditions[current].stay_s)
        now = conditions[current]
        noise = float(np.exp(now.spread * rng.standard_normal() - now.spread**2 / 2))
        rates.append(rate_bits_per_s * now.share * noise)
        delays.append(delay_s + now.extra_delay_s)
        left_s -= step_s
    return even_schedule(step_s, rates, delays)


def _next(current: int, conditions: tuple[Condition, ...], rng: np.random.Generator) -> int:
    weights = np.array([c.weight for c in conditions])
    weights[current] = 0.0
    return int(rng.choice(len(conditions), p=weights / weights.sum()))


def _visits(conditions: tuple[Condition, ...]) -> list[float]:
    """Return how often each is visited, relatively: w (W − w), which balances each exchange."""
    total = sum(c.weight for c in conditions)
    return [c.weight * (total - c.weight) for c in conditions]


def _shares_of_time(conditions: tuple[Condition, ...]) -> list[float]:
    times = [v * c.stay_s for v, c in zip(_visits(conditions), conditions, strict=True)]
    return [time / sum(times) for time in times]
