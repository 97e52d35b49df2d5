"""A bandit: learns while it serves which way to shard answers soonest, whatever was predicted.

Thompson sampling (Thompson 1933, doi 10.1093/biomet/25.3-4.285; Russo et al. 2018, arXiv
1707.02038): of each way's mean logarithmic latency a value is drawn from what is believed of it,
and the way with the least is taken. The belief begins with the forecast and is conjugate (normal
with unknown mean and variance; Murphy 2007, "Conjugate Bayesian analysis of the Gaussian
distribution", section 3). How busy the edge is makes a context: of each, ways are learnt by
themselves. What was learnt is what the view's last endings tell, so it adapts, and forgets.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite, log, log2, sqrt
from typing import ClassVar, Final, NamedTuple

import numpy as np

from sim.errors import CannotServeError, PolicyError
from sim.plan import Compute, Plan
from sim.policies.assignment import SchemeName
from sim.policies.forecast import forecast_s
from sim.policies.placement import job_of
from sim.policies.ways import Choices, Way, require_choices, ways
from sim.policy import Ending, Progress, View
from sim.trace import FINISHED
from workloads.stage import Request

FAILED_TIMES: Final = 10.0
"""A request that failed counts as one that took so many times as long until it did."""
BUSIEST: Final = 4
"""Contexts are numbered up to this."""


class Belief(NamedTuple):
    """Of a normal distribution with unknown mean and variance: a normal-inverse-gamma law.

    ``weight`` is how many observations the mean is worth; ``shape`` and ``scale`` are those of the
    variance.
    """

    mean: float
    weight: float = 1.0
    shape: float = 1.0
    scale: float = 0.1

    def after(self, seen: Iterable[float]) -> "Belief":
        """Return what is believed once so much was seen."""
        values = np.fromiter(seen, float)
        count = len(values)
        if not count:
            return self
        mean = float(values.mean())
        weight = self.weight + count
        apart = float(((values - mean) ** 2).sum())
        apart += self.weight * count * (mean - self.mean) ** 2 / weight
        return Belief(
            (self.weight * self.mean + count * mean) / weight,
            weight,
            self.shape + count / 2,
            self.scale + apart / 2,
        )

    def drawn(self, generator: np.random.Generator) -> float:
        """Return a mean drawn from it: Student's t with twice ``shape`` degrees of freedom."""
        spread = sqrt(self.scale / (self.shape * self.weight))
        return self.mean + spread * float(generator.standard_t(2 * self.shape))


@dataclass(frozen=True)
class Bandit:
    """Learns from how long requests took which way of sharding answers soonest.

    The ways are every combination of ``modes``, ``codecs`` and numbers of ``clouds``, each written
    with a ``+`` between values. ``seed`` is for what is drawn, request by request.
    """

    reads_endings: ClassVar[bool] = True

    modes: str = "deferred"
    codecs: str = "int8"
    clouds: str = "16+8+4+2"
    assignment: SchemeName = "speed-proportional"
    lanes: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        require_choices(self.choices)
        if self.seed < 0:
            raise PolicyError(f"seed: {self.seed} is negative; give 0 or more")

    @property
    def choices(self) -> Choices:
        """What it chooses among."""
        return Choices(self.modes, self.codecs, self.clouds, self.assignment, self.lanes)

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the plan of the way that is drawn; after a loss, of the one that is quickest."""
        known = ways(self.choices, job_of(request), view.estimates)
        if progress.plans:
            plans = [way.policy.plan(request, progress, view) for way in known]
            return min(plans, key=lambda plan: forecast_s(plan, view))
        context = _context(known[0].plan, view)
        seen = _latencies(view.endings)
        generator = np.random.default_rng([self.seed, request.index])
        drawn = [self._drawn(way, context, seen, view, generator) for way in known]
        least, place = min((each, place) for place, each in enumerate(drawn))
        if not isfinite(least):
            raise CannotServeError("nothing passes on the ways to the clouds")
        return _marked(known[place].plan, _name(known[place], context))

    def _drawn(
        self,
        way: Way,
        context: int,
        seen: dict[str, list[float]],
        view: View,
        generator: np.random.Generator,
    ) -> float:
        expected_s = forecast_s(way.plan, view)
        if not isfinite(expected_s):
            return expected_s
        belief = Belief(log(max(expected_s, 1e-9))).after(seen.get(_name(way, context), ()))
        return belief.drawn(generator)


def _context(plan: Plan, view: View) -> int:
    """Return how busy the edge is: about how many times the number of its requests doubled."""
    trusted = [
        step
        for step in plan.steps
        if isinstance(step, Compute) and view.topology.node(step.node).trusted
    ]
    own_s = sum(view.estimates.seconds(step.stages, step.node) for step in trusted)
    waiting_s = sum(view.backlog_s[node] for node in {step.node for step in trusted})
    return min(BUSIEST, int(log2(1 + waiting_s / own_s))) if own_s else 0


def _name(way: Way, context: int) -> str:
    return f"{way.name} when {context}"


def _latencies(endings: Iterable[Ending]) -> dict[str, list[float]]:
    """Return the logarithms of what each choice took."""
    found = defaultdict[str, list[float]](list)
    for ending in endings:
        took_s = ending.latency_s * (1.0 if ending.outcome == FINISHED else FAILED_TIMES)
        if ending.choice and took_s > 0:
            found[ending.choice].append(log(took_s))
    return found


@lru_cache(maxsize=4096)
def _marked(plan: Plan, choice: str) -> Plan:
    """Return the plan under a name, always the same for the same."""
    return replace(plan, choice=choice)
