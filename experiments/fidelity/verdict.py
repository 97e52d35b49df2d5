"""Whether predictions were close enough, and where they were not."""

from dataclasses import dataclass
from typing import Final

from experiments.fidelity.experiment import Fidelity

MATCHED: Final = 0.99
"""The fraction of steps that must be the same in both worlds for a comparison to mean anything."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Allowed median error of each kind of step, and of the median latency of each policy."""

    steps: float = 0.10
    p50: float = 0.05


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
        error = each.errors.latency("p50").error.mean
        if not abs(error) <= allowed.p50:
            lines.append(f"{each.policy}: p50 off by {error:+.1%}, {allowed.p50:.0%} allowed")
    return lines
