"""The ways to shard that a policy chooses among: modes, codecs and numbers of clouds, combined."""

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import NamedTuple, cast, get_args

from sim.errors import PolicyError
from sim.facts import step_facts
from sim.plan import Compute, Plan, Transfer
from sim.policies.assignment import SchemeName
from sim.policies.placement import Job, clouds_of
from sim.policies.sharded import CodecName, Sharded
from sim.policy import UNTOUCHED, Estimates, View
from workloads.sam.modes import MODES
from workloads.stage import Request


class Choices(NamedTuple):
    """Which there are: each of the first three is written with a ``+`` between values."""

    modes: str
    codecs: str
    clouds: str
    assignment: SchemeName = "heft"
    lanes: int = 0


class Way(NamedTuple):
    """One of them, and the plan of a first request."""

    policy: Sharded
    plan: Plan

    @property
    def name(self) -> str:
        """What tells it from others."""
        return f"{self.policy.mode}/{self.policy.codec}/{self.policy.clouds}"


def require_choices(choices: Choices) -> None:
    """Raise `PolicyError` for values that there are not."""
    _require_known("modes", choices.modes, MODES)
    _require_known("codecs", choices.codecs, get_args(CodecName))
    for word in choices.clouds.split("+"):
        if not word.isdigit() or not int(word):
            raise PolicyError(f"clouds: {word!r} is no number of clouds; write e.g. 16+8+4")


@lru_cache(maxsize=1024)
def ways(choices: Choices, job: Job, world: Estimates) -> tuple[Way, ...]:
    """Return every combination; more clouds than are up stand for all of them."""
    return tuple(_ways(choices, job, world))


def _ways(choices: Choices, job: Job, world: Estimates) -> Iterator[Way]:
    there = len(clouds_of(job, world))
    counts = sorted({min(int(word), there) for word in choices.clouds.split("+")})
    request = Request(0, 0.0, job.origin, job.model)
    view = View(0.0, 0.0, world, {}, (0,) * len(world.channel_bits_per_s))
    for mode, codec, count in product(choices.modes.split("+"), choices.codecs.split("+"), counts):
        known = cast("CodecName", codec)
        policy = Sharded(mode, choices.assignment, known, clouds=count, lanes=choices.lanes)
        yield Way(policy, policy.plan(request, UNTOUCHED, view))


def merits(plan: Plan, job: Job, world: Estimates) -> tuple[float, float]:
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
