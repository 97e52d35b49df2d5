"""Comparing policies that met the same requests: what is faster, and what is chance.

Every policy of a scenario sees the same arrivals, replication by replication (common random
numbers), so differences are paired; see `experiments.statistics.paired`. The answers to all
questions asked together err with a chance below `LEVEL`, after Holm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.campaign import Campaign
from experiments.statistics.estimates import Estimate, FloatArray, quantile_of
from experiments.statistics.paired import holm, paired_difference

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric under a policy minus that under the reference; ``p`` is adjusted after Holm."""

    estimate: Estimate
    p: float

    @property
    def shown(self) -> bool:
        """Whether there is a difference, at `LEVEL` for all comparisons together."""
        return self.p < LEVEL


@dataclass(frozen=True, slots=True)
class Comparison:
    """A policy against the reference; ``differences`` are ``p50_s``, ``p99_s``, ``deadline_met``.

    There are none where either is saturated, which ``verdict`` says then.
    """

    policy: str
    reference: str
    differences: dict[str, Difference]
    verdict: str


def compare(campaigns: Sequence[Campaign]) -> list[Comparison]:
    """Compare every other policy with the first; all have run the same replications, at least 2."""
    reference, *others = campaigns
    raw = [_differences(other, reference) for other in others]
    questions = [(place, name) for place, found in enumerate(raw) for name in found]
    adjusted = holm([raw[place][name].p for place, name in questions])
    for (place, name), p in zip(questions, adjusted, strict=True):
        raw[place][name] = replace(raw[place][name], p=p)
    return [
        Comparison(
            other.scenario.policy_name,
            reference.scenario.policy_name,
            found,
            _verdict(other, reference, found),
        )
        for other, found in zip(others, raw, strict=True)
    ]


def _differences(other: Campaign, reference: Campaign) -> dict[str, Difference]:
    if other.saturation or reference.saturation:
        return {}
    ours, theirs = _metrics(other, reference), _metrics(reference, other)
    return {name: Difference(*paired_difference(ours[name], theirs[name])) for name in ours}


def _metrics(campaign: Campaign, partner: Campaign) -> dict[str, list[float]]:
    """Return what is compared, per replication, of the requests that count for both policies."""
    skip = max(0, partner.warm_up.requests - campaign.warm_up.requests)
    latencies_s = [np.array(each[skip:]) for each in campaign.latencies_s]
    deadline_s = campaign.scenario.deadline_s
    return {
        "p50_s": [_of_finished(each, 0.5) for each in latencies_s],
        "p99_s": [_of_finished(each, 0.99) for each in latencies_s],
        "deadline_met": [float((each <= deadline_s).mean()) for each in latencies_s],
    }


def _of_finished(latencies_s: FloatArray, quantile: float) -> float:
    return quantile_of(latencies_s[np.isfinite(latencies_s)], quantile)


def _verdict(other: Campaign, reference: Campaign, found: dict[str, Difference]) -> str:
    if other.saturation and reference.saturation:
        return "both saturated"
    if other.saturation:
        return "slower: saturated"
    if reference.saturation:
        return "faster: the other is saturated"
    words = {name: _word(found[f"{name}_s"]) for name in ("p50", "p99")}
    shown = {name: word for name, word in words.items() if word}
    if not shown:
        return "no difference shown"
    if len(shown) == len(words) and len(set(shown.values())) == 1:
        return words["p50"]
    return ", ".join(f"{word} at {name}" for name, word in shown.items())


def _word(difference: Difference) -> str:
    if not difference.shown:
        return ""
    return "faster" if difference.estimate.mean < 0 else "slower"
