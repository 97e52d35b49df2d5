"""Accuracy, privacy, latency and cost of designs side by side, and which of them are best."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan

from experiments.campaign import Campaign
from experiments.laboratory.accuracy.scores import Share
from experiments.laboratory.accuracy.sitting import Result
from experiments.laboratory.privacy.verdict import Verdict, Worst


@dataclass(frozen=True, slots=True)
class Limits:
    """What a design has to keep: the least accuracy, the most success of an attack, a deadline."""

    kept: float
    attacked: float
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration.

    ``kept`` is the accuracy retained, ``identified`` the success of the best attack on the worst
    cloud (ID-ASR@1): of the first ones only where it is ``at_least`` that. ``pixels`` is the
    largest fraction of a picture that a cloud is shown, and the rest is simulated: quantiles of
    latency, and per request bytes both ways and dollars.
    """

    policy: str
    kept: Share
    identified: Worst
    at_least: bool
    pixels: float
    p50_s: float
    p99_s: float
    bytes_up: float
    bytes_down: float
    cost_usd: float

    def meets(self, limits: Limits) -> tuple[bool, bool, bool]:
        """Return which of the limits are kept: by the near bound of each interval, not its middle.

        Accuracy by the lower bound of what is retained, attacks by the upper bound of their rate.
        """
        return (
            self.kept.low >= limits.kept,
            self.identified.rate.below < limits.attacked,
            self.p99_s <= limits.deadline_s,
        )

    def gaps(self, limits: Limits) -> tuple[float, float, float]:
        """Return by what factor each limit is missed; 1 or less where it is kept."""
        return (
            (1 - self.kept.low) / max(1 - limits.kept, 1e-9),
            self.identified.rate.below / limits.attacked,
            self.p99_s / limits.deadline_s,
        )


def row(accuracy: Result, privacy: Verdict, timing: Campaign) -> Row:
    """Return one configuration's row; accuracy must be known, with wanted masks."""
    assert accuracy.kept is not None  # noqa: S101 - of drawn scenes it is
    figures = {name: each.mean for name, each in timing.metrics.items()}
    return Row(
        accuracy.policy,
        accuracy.kept["all"],
        privacy.identified,
        privacy.at_least,
        privacy.pixels,
        _or_endless(figures["p50_s"]),
        _or_endless(figures["p99_s"]),
        figures["bytes_up"],
        figures["bytes_down"],
        figures["cost_usd"],
    )


def _or_endless(seconds: float) -> float:
    """Return a latency; where there is no steady state it grows for as long as load lasts."""
    return inf if isnan(seconds) else seconds


def best(rows: Sequence[Row]) -> tuple[bool, ...]:
    """Return which rows are on the Pareto front of accuracy, attack success and latency.

    None is known to be as good in all three and better in one: of what an attack succeeds in at
    least, it may be all.
    """
    points = [(-each.kept.value, each.identified.rate.below, each.p99_s) for each in rows]
    sure = [
        (kept, 1.0 if each.at_least else attacked, p99_s)
        for each, (kept, attacked, p99_s) in zip(rows, points, strict=True)
    ]
    return tuple(
        not any(
            other != point and all(a <= b for a, b in zip(other, point, strict=True))
            for other in sure
        )
        for point in points
    )


def nearest(rows: Sequence[Row], limits: Limits) -> Row | None:
    """Return the row whose worst gap is smallest; None of no rows."""
    return min(rows, key=lambda each: max(each.gaps(limits)), default=None)
