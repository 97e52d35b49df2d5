"""Whether predictions were close enough, and where they were not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from experiments.fidelity.experiment import Fidelity, Tested

MATCHED: Final = 0.99
"""The fraction of steps that must be the same in both worlds for a comparison to mean anything."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Allowed median error of each kind of step, and of two quantiles of each policy's latency.

    Without a ``p99`` that of the 99th percentile is not judged.
    """

    steps: float = 0.10
    p50: float = 0.05
    p99: float | None = None


def misses(found: Fidelity, allowed: Tolerance) -> list[str]:
    """Return a line for each figure outside tolerance; none where all are within.

    A figure that could not be had, since nothing was to be compared, is outside.
    """
    lines = []
    for kind in found.together.errors.kinds:
        for name, error in (("duration", kind.duration), ("moment", kind.moment)):
            if not error <= allowed.steps:
                lines.append(f"{kind.kind}: {name} off by {error:.1%}, {allowed.steps:.0%} allowed")
    for each in found.tested:
        if each.errors.matched < MATCHED:
            lines.append(
                f"{each.policy}: only {each.errors.matched:.1%} of the steps are the same in both "
                "worlds"
            )
        if not each.errors.latencies:
            lines.append(f"{each.policy}: no request finished in both worlds")
            continue
        for quantile, most in (("p50", allowed.p50), ("p99", allowed.p99)):
            if most is None:
                continue
            error = each.errors.latency(quantile).error.mean
            if not abs(error) <= most:
                lines.append(f"{each.policy}: {quantile} off by {error:+.1%}, {most:.0%} allowed")
    return lines + list(_swapped(found.tested))


def order(found: Fidelity, *, real: bool) -> tuple[str, ...]:
    """Return the policies by median latency in one world, those that finished nothing left out."""
    known = [each for each in found.tested if each.errors.latencies]
    return tuple(each.policy for each in sorted(known, key=lambda each: _p50_s(each, real=real)))


def _swapped(tested: Sequence[Tested]) -> Iterator[str]:
    """Yield a line for each two policies that the worlds rank differently, for more than chance.

    That is where they are further apart for real than either is from itself in another real run.
    """
    for one, other in combinations([each for each in tested if each.errors.latencies], 2):
        apart_s = _p50_s(one, real=True) - _p50_s(other, real=True)
        predicted_s = _p50_s(one, real=False) - _p50_s(other, real=False)
        if apart_s * predicted_s < 0 and abs(apart_s) > max(_spread_s(one), _spread_s(other)):
            fast, slow = (one, other) if apart_s < 0 else (other, one)
            yield (
                f"{fast.policy} is faster than {slow.policy} for real, by {abs(apart_s) * 1e3:.1f} "
                "ms, and slower by the simulation"
            )


def _p50_s(tested: Tested, *, real: bool) -> float:
    latency = tested.errors.latency("p50")
    return latency.measured_s if real else latency.predicted_s


def _spread_s(tested: Tested) -> float:
    """Return how far the median is from itself, from one real run to the next."""
    if not tested.spread.latencies:
        return 0.0
    return abs(tested.spread.latency("p50").error.mean) * _p50_s(tested, real=True)
