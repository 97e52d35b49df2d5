"""Links that change: a rate and a delay, constant between given moments.

What happens in a schedule is given, not drawn: `topologies.mahimahi` reads one from a recorded
trace, `topologies.markov` makes one up from a seed, and whoever runs the link only looks it up.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from topologies.errors import TopologyError


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rate, and a one-way delay if any is given, from each of ``starts_s`` to the next.

    With a `period_s` all begins again after it, else the last values hold for ever. A rate of 0
    is an outage. Without `delays_s` the link's own delay holds throughout.

    >>> commute = Schedule((0.0, 2.0), (8e6, 2e6), period_s=3.0)
    >>> commute.rate_bits_per_s(1.9), commute.rate_bits_per_s(2.0), commute.rate_bits_per_s(3.0)
    (8000000.0, 2000000.0, 8000000.0)
    >>> commute.bits(1.0, 4.0)
    18000000.0

    Raises TopologyError: no steps, lists of different lengths, a first step that is not at 0,
    steps that do not follow each other, a period that ends before the last step begins, a rate or
    a delay that is negative or not finite, a period in which nothing is ever sent.
    """

    starts_s: tuple[float, ...]
    rates_bits_per_s: tuple[float, ...]
    delays_s: tuple[float, ...] = ()
    period_s: float | None = None

    def __post_init__(self) -> None:
        starts, rates, delays = self.starts_s, self.rates_bits_per_s, self.delays_s
        if not starts or len(rates) != len(starts) or len(delays) not in (0, len(starts)):
            raise TopologyError(
                f"schedule: {len(starts)} starts, {len(rates)} rates and {len(delays)} delays; "
                "give as many rates as starts, at least one, and as many delays or none"
            )
        if starts[0] != 0.0:
            raise TopologyError(f"schedule: the first step is at {starts[0]} s; begin at 0")
        for before, after in pairwise(starts):
            if not before < after < math.inf:
                raise TopologyError(f"schedule: {after} s follows {before} s; let steps advance")
        for value in (*rates, *delays):
            if not 0 <= value < math.inf:
                raise TopologyError(
                    f"schedule: {value!r} is no rate or delay; it must be finite and at least 0"
                )
        if self.period_s is not None and not starts[-1] < self.period_s < math.inf:
            raise TopologyError(
                f"schedule: the period is {self.period_s} s, but a step begins at {starts[-1]} s; "
                "end it later"
            )
        if not any(rates):
            raise TopologyError("schedule: no rate is above 0; nothing would ever arrive")

    @property
    def peak_bits_per_s(self) -> float:
        """The highest rate there is."""
        return max(self.rates_bits_per_s)

    def rate_bits_per_s(self, when_s: float) -> float:
        """Return the rate at a moment."""
        return self.rates_bits_per_s[self._index(when_s)]

    def delay_s(self, when_s: float, otherwise_s: float) -> float:
        """Return the one-way delay at a moment, `otherwise_s` where the schedule gives none."""
        return self.delays_s[self._index(when_s)] if self.delays_s else otherwise_s

    def bits(self, from_s: float, to_s: float) -> float:
        """Return what the rate adds up to between two moments, in bits."""
        return self._bits_until(to_s) - self._bits_until(from_s)

    def steps(self) -> Iterator[tuple[float, int]]:
        """Yield each step's moment and index, in order, without end if it repeats."""
        offset_s, rounds = 0.0, 0
        while True:
            for index, start_s in enumerate(self.starts_s):
                yield offset_s + start_s, index
            if self.period_s is None:
                return
            rounds += 1
            offset_s = rounds * self.period_s

    def _index(self, when_s: float) -> int:
        if self.period_s is not None:
            when_s %= self.period_s
        return bisect_right(self.starts_s, when_s) - 1

    def _bits_until(self, when_s: float) -> float:
        if self.period_s is None:
            return self._bits_within(when_s)
        rounds, rest_s = divmod(when_s, self.period_s)
        return rounds * self._bits_within(self.period_s) + self._bits_within(rest_s)

    def _bits_within(self, when_s: float) -> float:
        ends = (*self.starts_s[1:], math.inf)
        return math.fsum(
            rate * (min(end, when_s) - start)
            for start, end, rate in zip(self.starts_s, ends, self.rates_bits_per_s, strict=True)
            if start < when_s
        )


def even_schedule(
    step_s: float, rates_bits_per_s: Sequence[float], delays_s: Sequence[float] = ()
) -> Schedule:
    """Return a repeating schedule of steps that all last `step_s`; equal neighbours are merged.

    >>> even_schedule(0.5, [1e6, 1e6, 3e6])
    Schedule(starts_s=(0.0, 1.0), rates_bits_per_s=(1000000.0, 3000000.0), delays_s=(), period_s=1.5)
    """  # noqa: E501 - a value's text
    values = list(zip(rates_bits_per_s, delays_s or [0.0] * len(rates_bits_per_s), strict=True))
    kept = [i for i, value in enumerate(values) if i == 0 or value != values[i - 1]]
    return Schedule(
        tuple(index * step_s for index in kept),
        tuple(values[index][0] for index in kept),
        tuple(values[index][1] for index in kept) if delays_s else (),
        len(values) * step_s,
    )
