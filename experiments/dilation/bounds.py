"""The least dilation at which a machine keeps up: what bounds it, with the figures it follows from.

Slowed down k times, a step has k times its time here. So a computation that takes r times its
profile needs k >= r; what a step takes beyond the model at any speed is 1/k of it in the model,
and is to be a small part of what a typical step takes there; and links carry 1/k of the traffic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from experiments.dilation.rehearsal import Rehearsal
from real_runner.orchestration.overruns import GRACE_S
from sim.errors import ScenarioError

GRID: Final = tuple(
    step * decade
    for decade in (1.0, 10.0, 100.0, 1000.0)
    for step in (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
)
"""The dilations that are chosen from."""
SHARE: Final = 0.05
"""What handing over may add to a typical step, as a part of what it takes in the model."""
LOAD: Final = 0.7
"""How much of what it can carry the link process is asked to: more, and packets come late."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Something that asks for a dilation of ``least``; ``reason`` has the figures."""

    what: str
    least: float
    reason: str


def bounds(
    rehearsal: Rehearsal, computing: Sequence[str], carried_bits_per_s: float | None
) -> Iterator[Bound]:
    """Yield what bounds the dilation.

    Nodes ``computing`` do real arithmetic, all others only hold their devices.
    ``carried_bits_per_s`` is what emulated links can carry here, if they are to.
    """
    steps = rehearsal.steps
    own = steps[(steps["kind"] == "compute") & steps["node"].isin(computing)]
    if len(own):
        yield _arithmetic(own)
    handed = steps[steps["kind"] != "wait"]  # which nobody is told of
    for kind, rows in handed.groupby("kind"):
        yield _handing_over(str(kind), rows)
    if carried_bits_per_s is not None:
        wanted = rehearsal.busiest_bits_per_s
        yield Bound(
            "links",
            wanted / (LOAD * carried_bits_per_s),
            f"{wanted / 1e6:.0f} Mbit/s at the busiest moment of a simulation; the link process "
            f"carried {carried_bits_per_s / 1e6:.0f} Mbit/s just now, of which it is to use "
            f"{LOAD:.0%}",
        )


def enough(found: Sequence[Bound]) -> float:
    """Return the smallest dilation of the grid that satisfies all; `ScenarioError` for none."""
    worst = max(found, key=lambda bound: bound.least)
    for dilation in GRID:
        if dilation >= worst.least:
            return dilation
    raise ScenarioError(
        f"--dilation auto: {worst.what} needs {worst.least:.3g}, beyond {GRID[-1]:g} "
        f"({worst.reason}); give a factor, or a smaller model"
    )


def _arithmetic(steps: pd.DataFrame) -> Bound:
    """Return what the slowest computation asks for."""
    least = (steps["here_s"] - GRACE_S) / steps["model_s"].clip(lower=1e-9)
    worst = steps.iloc[int(least.argmax())]
    return Bound(
        "arithmetic",
        float(least.max()),
        f"{worst['stage']} on {worst['node']} took {worst['here_s'] * 1e3:.2f} ms here, beside all "
        f"that runs at the same time, and is to take {worst['model_s'] * 1e3:.2f} ms",
    )


def _handing_over(kind: str, steps: pd.DataFrame) -> Bound:
    """Return what steps take here beyond the model; over unshaped connections that is all."""
    timed = steps[steps["model_s"] > GRACE_S]
    extra_s = timed["here_s"] - (timed["model_s"] if kind == "compute" else 0.0)
    if kind == "compute":
        extra_s = extra_s[timed["here_s"] < 2 * timed["model_s"]]  # arithmetic is counted by itself
    typical_s, most_s = float(timed["model_s"].median()), float(extra_s.median())
    if not (typical_s > 0 and most_s > 0):
        return Bound(f"handing over, {kind}", 0.0, "nothing that could be measured")
    return Bound(
        f"handing over, {kind}",
        most_s / (SHARE * typical_s),
        f"a {kind} step took {most_s * 1e3:.2f} ms beyond the model here, and takes "
        f"{typical_s * 1e3:.1f} ms in it, of which {SHARE:.0%} are granted (medians)",
    )
