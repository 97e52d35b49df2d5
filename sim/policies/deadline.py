"""Per request the most private way, or the cheapest, that is predicted to be in time."""

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple, cast, get_args

from sim.errors import CannotServeError, PolicyError
from sim.facts import step_facts
from sim.plan import Compute, Plan, Transfer
from sim.policies.assignment import SchemeName
from sim.policies.forecast import forecast_s
from sim.policies.placement import Job, clouds_of, job_of
from sim.policies.sharded import CodecName, Sharded
from sim.policy import UNTOUCHED, Estimates, Progress, View
from workloads.sam.modes import MODES
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
        _require_known("modes", self.modes, MODES)
        _require_known("codecs", self.codecs, get_args(CodecName))
        for word in self.clouds.split("+"):
            if not word.isdigit() or not int(word):
                raise PolicyError(f"clouds: {word!r} is no number of clouds; write e.g. 16+8+4")

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the plan of the first way that is in time; after a loss, of the quickest one."""
        ways = _ranked(self, job_of(request), view.estimates)
        if progress.plans:
            plans = [way.policy.plan(request, progress, view) for way in ways]
            return min(plans, key=lambda plan: forecast_s(plan, view))
        found = list[tuple[float, int, Plan]]()
        for way in ways:
            seconds = forecast_s(way.plan, view)
            if seconds * (1 + self.margin) <= self.deadline_ms / 1e3:
                return way.plan
            found.append((seconds, len(found), way.plan))
        seconds, _, quickest = min(found)
        if self.overload == "degrade":
            return quickest
        raise CannotServeError(
            f"none of {len(ways)} ways is predicted to hold {self.deadline_ms:g} ms; the quickest "
            f"takes {seconds * 1e3:.0f} ms"
        )


class _Way(NamedTuple):
    policy: Sharded
    plan: Plan


@lru_cache(maxsize=1024)
def _ranked(policy: DeadlineAware, job: Job, world: Estimates) -> tuple[_Way, ...]:
    there = len(clouds_of(job, world))
    counts = sorted({min(int(word), there) for word in policy.clouds.split("+")})
    request = Request(0, 0.0, job.origin, job.model)
    view = View(0.0, 0.0, world, {}, (0,) * len(world.channel_bits_per_s))
    ways = []
    for mode, codec, count in product(policy.modes.split("+"), policy.codecs.split("+"), counts):
        known = cast("CodecName", codec)
        sharded = Sharded(mode, policy.assignment, known, clouds=count, lanes=policy.lanes)
        ways.append(_Way(sharded, sharded.plan(request, UNTOUCHED, view)))
    order = 1 if policy.goal == "private" else -1
    return tuple(sorted(ways, key=lambda way: _merits(way.plan, job, world)[::order]))


def _merits(plan: Plan, job: Job, world: Estimates) -> tuple[float, float]:
    """Return the largest fraction of the image that a cloud is shown, and what clouds are paid."""
    fractions, seen = job.model.shard_fractions, defaultdict[str, set[int]](set)
    usd = 0.0
    for step in plan.steps:
        facts = step_facts(step, world.topology)
        usd += facts.fixed_usd
        if isinstance(step, Compute):
            usd += facts.usd_per_s * world.seconds(step.stages, step.node)
        elif isinstance(step, Transfer) and not world.topology.node(step.target).trusted:
            seen[step.target].update(() if step.payload.summary else step.payload.shard)
    shown = (sum(fractions[part] for part in parts) for parts in seen.values())
    return max(shown, default=0.0), usd


def _require_known(field: str, text: str, known: tuple[str, ...]) -> None:
    for word in text.split("+"):
        if word not in known:
            raise PolicyError(
                f"{field}: {word!r} is unknown; choose of {', '.join(known)}, with + between"
            )
