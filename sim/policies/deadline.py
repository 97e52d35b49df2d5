"""Per request the most private way, or the cheapest, that is predicted to be in time."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sim.errors import CannotServeError, PolicyError
from sim.plan import Plan
from sim.policies.assignment import SchemeName
from sim.policies.forecast import forecast_s
from sim.policies.placement import Job, job_of
from sim.policies.ways import Choices, Way, merits, require_choices, ways
from sim.policy import Estimates, Progress, View
from workloads.stage import Request


@dataclass(frozen=True)
class DeadlineAware:
    """The most private way, or the cheapest, that is predicted to hold a deadline.

    The ways are sharded ones: every combination of ``modes``, ``codecs`` and numbers of ``clouds``,
    each written with a ``+`` between values; which modes keep enough accuracy is for the user to
    say (`tessera accuracy`). By ``goal`` they are ranked by the largest fraction of the image that
    a cloud is shown, or by what clouds are paid, then by the other. The first is taken whose
    forecast (see `sim.policies.forecast`), longer by ``margin``, is within ``deadline_ms``. Where
    none is, ``overload`` says whether the request is turned away, with the reason, or gets the way
    that is quickest.
    """

    deadline_ms: float = 320.0
    goal: Literal["private", "cheap"] = "private"
    overload: Literal["shed", "degrade"] = "shed"
    margin: float = 0.1
    modes: str = "deferred"
    codecs: str = "int8+int4"
    clouds: str = "16+8+4+2"
    assignment: SchemeName = "heft"
    lanes: int = 0

    def __post_init__(self) -> None:
        if not self.deadline_ms > 0:
            raise PolicyError(f"deadline_ms: {self.deadline_ms!r}; give a positive number")
        if self.margin < 0:
            raise PolicyError(f"margin: {self.margin!r}; give 0 or more")
        require_choices(self.choices)

    @property
    def choices(self) -> Choices:
        """What it chooses among."""
        return Choices(self.modes, self.codecs, self.clouds, self.assignment, self.lanes)

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the plan of the first way that is in time; after a loss, of the quickest one."""
        ranked = _ranked(self, job_of(request), view.estimates)
        if progress.plans:
            plans = [way.policy.plan(request, progress, view) for way in ranked]
            return min(plans, key=lambda plan: forecast_s(plan, view))
        found = list[tuple[float, int, Plan]]()
        for way in ranked:
            seconds = forecast_s(way.plan, view)
            if seconds * (1 + self.margin) <= self.deadline_ms / 1e3:
                return way.plan
            found.append((seconds, len(found), way.plan))
        seconds, _, quickest = min(found)
        if self.overload == "degrade":
            return quickest
        raise CannotServeError(
            f"none of {len(ranked)} ways is predicted to hold {self.deadline_ms:g} ms; the "
            f"quickest takes {seconds * 1e3:.0f} ms"
        )


@lru_cache(maxsize=1024)
def _ranked(policy: DeadlineAware, job: Job, world: Estimates) -> tuple[Way, ...]:
    order = 1 if policy.goal == "private" else -1
    found = ways(policy.choices, job, world)
    return tuple(sorted(found, key=lambda way: merits(way.plan, job, world)[::order]))
