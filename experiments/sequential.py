"""Stopping when an interval is narrow enough: as many replications as it takes, up to a bound.

The sequential procedure of Chow and Robbins ("On the asymptotic theory of fixed-width sequential
confidence intervals", Annals of Mathematical Statistics 36, 1965) with a relative width, as in
Law, *Simulation Modeling and Analysis*, 5th ed., section 9.4.1: another replication is run until
half the interval is at most the wanted fraction of the mean. All policies run equally often, so
that they stay comparable, until all are narrow enough; a saturated one has no figure to narrow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.campaign import Campaign, Replications

LEAST = 5
"""Fewer replications are too few to believe a narrow interval."""

MOST = 200
"""Replications at which it gives up, unless told otherwise."""

METRICS = {"p50": "p50_s", "p95": "p95_s", "p99": "p99_s", "mean": "mean_s",
           "deadline-met": "deadline_met"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """Half of ``metric``'s 95 % interval is to be at most ``fraction`` of its mean.

    ``metric`` is a key of `METRICS`. No more than ``most`` replications are run for it.
    """

    fraction: float
    metric: str = "p99"
    most: int = MOST

    def met_by(self, campaign: Campaign) -> bool:
        """Whether the interval is narrow enough, or there is no steady state to have one."""
        return bool(campaign.saturation) or self.width(campaign) <= self.fraction

    def width(self, campaign: Campaign) -> float:
        """Return half the interval's width as a fraction of the mean; NaN where there is none."""
        found = campaign.metrics[METRICS[self.metric]]
        return 0.0 if found.half_width == 0 else found.relative_half_width


def run_until(
    policies: Sequence[Replications], target: Target, advance: Callable[[], None] = lambda: None
) -> list[Campaign]:
    """Run the scenarios' own number of replications, at least `LEAST`, then more until narrow.

    ``advance`` is called after each replication of each policy.
    """
    wanted = min(max(LEAST, policies[0].scenario.replications), target.most)
    for policy in policies:
        while len(policy) < wanted:
            policy.run_next()
            advance()
    campaigns = [policy.campaign() for policy in policies]
    while len(policies[0]) < target.most and not all(map(target.met_by, campaigns)):
        for policy in policies:
            policy.run_next()
            advance()
        campaigns = [policy.campaign() for policy in policies]
    return campaigns
