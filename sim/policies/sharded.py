"""Sharded SAM: the edge splits the image into windows, clouds attend inside them, the edge merges.

After "A Distributed Framework for Privacy-Enhanced Vision Transformers on the Edge" (SEC 2025,
arXiv 2512.09309). What the clouds run and what comes back is the mode (see
`workloads.sam.modes`); who gets which window is the assignment (see `sim.policies.assignment`).
An assignment stays as it is for as long as the world is believed to be as it is, since a fresh
one for every frame of a static scene would show every cloud the whole of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Literal
from zlib import crc32

from sim.errors import CannotServeError, PolicyError
from sim.plan import Plan, PlanBuilder
from sim.policies.assignment import SchemeName, assign
from sim.policies.backup import NO_BACKUP, Backup, require_backup
from sim.policies.defences import (
    require_limits,
    require_noise,
    shown_before,
    shown_with,
    withheld_of,
)
from sim.policies.done import done_at
from sim.policies.making import Making
from sim.policies.placement import (
    Job,
    answer_from,
    clouds_of,
    edge_of,
    fetch_to,
    job_of,
    require_clouds,
    sam_of,
)
from sim.policies.pricing import shard_cost
from sim.policies.sending import Sending, round_trip
from sim.policies.task import NOTHING_SHOWN, Limits, Task
from sim.policies.trips import traffic_from, trips_from
from sim.policies.waiting import NO_WAITING, waits_s
from sim.policy import UNTOUCHED, Estimates, Progress, View
from workloads.privacy import noise_for
from workloads.sam.geometry import windows
from workloads.sam.model import Sam
from workloads.sam.modes import MODES, rounds
from workloads.sam.sharding import DEFAULT_POOL, Sharding
from workloads.sam.withholding import Withheld
from workloads.stage import Request, Shard

CodecName = Literal["fp64", "fp32", "fp16", "int8", "int4"]

_APART = ("exact", "prefix", "deferred")
"""Modes in which clouds do nothing to a window that needs another one."""

_STATEFUL = ("landmark",)
"""Modes in which clouds keep tensors of their shards from one round to the next."""


@dataclass(frozen=True)
class Sharded:
    """Windows on non-colluding clouds.

    ``codec`` writes what travels apart from pixels; ``upload`` says whether the clouds get pixels
    or patch embeddings; ``clouds`` limits how many are used, those that promise to return a
    single window first (0: all, up to one per window); ``edge`` names the edge (empty: see
    `sim.policies.placement.edge_of`); ``seed`` is for assignments that draw; ``pool`` (mode
    `landmark` only) is how many tokens are averaged into one key and value for other clouds.

    ``cap`` is the largest fraction of the image that one cloud may see, ``coalition_cap`` that
    any ``coalition`` of them together may (assignments ``privacy-constrained`` and
    ``least-makespan``). For the latter ``by_provider`` counts all clouds of one provider as one,
    ``apart`` keeps windows that touch from one cloud, and ``most_usd`` bounds what clouds are paid
    for an image, as predicted.

    ``lanes`` above 0 has the edge send so many shards at a time, those with most work ahead first,
    instead of all at once: while later ones are on their way, earlier ones are computed and come
    back. ``piece`` above 0 cuts a cloud's windows into pieces of so many, each sent, computed and
    returned by itself (modes whose windows need nothing of each other on a cloud: ``exact``,
    ``prefix`` and ``deferred``).

    ``copies`` of each shard go out at once, each to a cloud of its own. A shard that is not back
    when a round has taken ``hedge`` times as long as predicted, or once ``enough`` others are, is
    begun once more by another cloud, or by the edge (``backup``); always the first answer counts
    (see `sim.policies.backup`). A cloud that helps is shown what it helps with.

    ``trust_s`` above 0 (assignment ``speed-proportional``) has it look at what clouds have to do,
    too, request by request, and believe that the less the older the look is: after so many seconds
    it believes a part of 1/e (see `sim.policies.waiting`).

    ``epsilon`` above 0 (``upload=embeddings`` only) has the edge clip each patch's embedding to
    norm ``clip`` and add noise that makes one image's release to all clouds together
    (``epsilon``, ``delta``)-private, neighbours being images that differ in one patch (see
    `workloads.privacy`). Noise is drawn once per image: whatever travels later is made of it. An
    edge that loses what it had and begins again releases the image a second time.

    ``withhold`` above 0 (modes ``prefix`` and ``deferred``, ``upload=pixels`` only) has the edge
    keep the mean colour of each square of so many patches a side for itself, and add what it does
    to embeddings once tokens are back: clouds see differences from it, which tell less of what
    they are not shown. ``trend`` above 0 has it keep the polynomial of that degree nearest to each
    window's colours, too: joined at their borders squares tell of each other's means, and so how
    colours rise across a window, which goes on beyond it (see `workloads.sam.withholding`).
    """

    mode: str
    assignment: SchemeName = "speed-proportional"
    codec: CodecName = "fp16"
    upload: Literal["pixels", "embeddings"] = "pixels"
    clouds: int = 0
    edge: str = ""
    seed: int = 0
    pool: int = DEFAULT_POOL
    cap: float = 1.0
    coalition: int = 1
    coalition_cap: float = 1.0
    by_provider: bool = False
    apart: bool = False
    most_usd: float = inf
    lanes: int = 0
    piece: int = 0
    copies: int = 1
    hedge: float = 0.0
    enough: int = 0
    backup: Literal["cloud", "edge"] = "cloud"
    trust_s: float = 0.0
    epsilon: float = 0.0
    delta: float = 1e-5
    clip: float = 1.0
    withhold: int = 0
    trend: int = 0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise PolicyError(f"mode: {self.mode!r} is unknown; choose one of {', '.join(MODES)}")
        if self.clouds < 0:
            raise PolicyError(f"clouds: {self.clouds} is negative; give 0 for all of them")
        if self.lanes < 0:
            raise PolicyError(f"lanes: {self.lanes} is negative; give 0 for all at once")
        if self.piece < 0:
            raise PolicyError(f"piece: {self.piece} is negative; give 0 for whole shards")
        if self.piece and self.mode not in _APART:
            raise PolicyError(
                f"piece: in mode {self.mode!r} windows of a shard need each other; use "
                f"{', '.join(_APART)}"
            )
        if self.pool < 1:
            raise PolicyError(f"pool: {self.pool!r}; give at least 1 token per landmark")
        if self.pool != DEFAULT_POOL and self.mode != "landmark":
            raise PolicyError(
                f"pool: {self.pool} has no meaning in mode {self.mode!r}; use 'landmark'"
            )
        if not self.trust_s >= 0:
            raise PolicyError(f"trust_s: {self.trust_s!r}; give seconds, or 0 to look at no load")
        if self.trust_s and self.assignment != "speed-proportional":
            raise PolicyError(
                f"trust_s: assignment {self.assignment!r} does not look at load; "
                "use assignment=speed-proportional"
            )
        require_limits(self.limits, self.assignment)
        require_backup(self.help, self.limits, stateful=self.mode in _STATEFUL)
        require_noise(self.epsilon, self.delta, self.clip, self.upload)
        _ = self.withheld

    @property
    def withheld(self) -> Withheld:
        """What the edge keeps of pixels for itself."""
        return withheld_of(self.withhold, self.trend, self.mode, self.upload)

    @property
    def help(self) -> Backup:
        """What help there is with late shards, but for whose."""
        return Backup(self.copies, self.hedge, self.enough, self.backup)

    @property
    def reads_load(self) -> bool:
        """Whether it looks at what clouds have to do."""
        return self.trust_s > 0

    @property
    def limits(self) -> Limits:
        """What clouds may see."""
        return Limits(
            self.cap,
            self.coalition,
            self.coalition_cap,
            self.by_provider,
            self.apart,
            self.most_usd,
        )

    def rounds_of(self, model: Sam) -> Sharding:
        """Return how a model is run."""
        noise = noise_for(self.epsilon, self.delta, self.clip) if self.epsilon else None
        return rounds(
            model,
            self.mode,
            upload=self.upload,
            pool=self.pool,
            noise=noise,
            withheld=self.withheld,
        )

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return what is left of the request as one plan.

        The first plan is the same for every request of an origin, unless load is looked at. After
        a loss the windows that are not back at the edge yet are assigned anew among the clouds that
        are up.
        """
        job = job_of(request)
        if self.trust_s:
            waiting_s = waits_s(view, self.trust_s)
            return _plan(self, job, view.estimates, progress, waiting_s)
        if progress.plans == 0:
            return _first_plan(self, job, view.estimates)
        return _plan(self, job, view.estimates, progress)


@lru_cache(maxsize=4096)
def _first_plan(policy: Sharded, job: Job, world: Estimates) -> Plan:
    return _plan(policy, job, world, UNTOUCHED)


def _plan(
    policy: Sharded,
    job: Job,
    world: Estimates,
    progress: Progress,
    waiting_s: Mapping[str, float] = NO_WAITING,
) -> Plan:
    model = sam_of(job.model)
    parts = policy.rounds_of(model)
    edge = edge_for(policy, job, world)
    cost_s = shard_cost(parts, policy.codec, edge, world, waiting_s)
    nodes = _chosen_clouds(policy, job, cost_s, world)
    seed = crc32(job.origin.encode()) + policy.seed
    shown = shown_before(windows(model.variant), progress, world.topology)
    trips = trips_from(parts.rounds, policy.codec, edge, world)
    owners = {cloud.name: cloud.provider for cloud in world.topology.clouds}
    task = Task(
        windows(model.variant), nodes, cost_s, seed, policy.limits, shown, trips, owners
    )  # fmt: skip
    done = done_at(edge, progress, parts)
    builder = PlanBuilder()
    ready = () if (model.prepare,) in done.computed else fetch_to(builder, job, edge)
    if parts.before not in done.computed:
        ready = builder.compute(edge, parts.before, ready)
    how = Sending(policy.lanes, policy.piece, _help(policy, job, world))
    for number, part in enumerate(parts.rounds):
        if part.edge not in done.computed:
            missing = tuple(w for w in task.windows if w.index not in done.returned(part))
            shards = _assigned(policy, task._replace(windows=missing), world)
            sent = tuple(zip(nodes, shards, strict=True))
            task = task._replace(shown=shown_with(task, shards) if task.shown else NOTHING_SHOWN)
            making = Making(builder, part, task, number, edge, policy.codec)
            ready = round_trip(making, sent, how, ready)
    return answer_from(builder, job, edge, ready)


def _help(policy: Sharded, job: Job, world: Estimates) -> Backup:
    """Return the help that there is, by the clouds that are up."""
    if policy.help == NO_BACKUP:
        return NO_BACKUP
    return policy.help._replace(clouds=tuple(cloud.name for cloud in clouds_of(job, world)))


def edge_for(policy: Sharded, job: Job, world: Estimates) -> str:
    """Return the edge that a policy uses."""
    parts = policy.rounds_of(sam_of(job.model))
    at_edge = (job.model.prepare, *parts.before, *(s for r in parts.rounds for s in r.edge))
    return edge_of(
        job, world, at_edge, policy.edge, traffic_from(parts.rounds, policy.codec, job, world)
    )


def _assigned(policy: Sharded, task: Task, world: Estimates) -> tuple[Shard, ...]:
    """Assign; what too few clouds make impossible is no user's mistake while some are down."""
    try:
        return assign(policy.assignment, task)
    except PolicyError as error:
        if world.down:
            raise CannotServeError(str(error)) from error
        raise


def _chosen_clouds(
    policy: Sharded, job: Job, cost_s: Callable[[str, Shard], float], world: Estimates
) -> tuple[str, ...]:
    """Return the clouds to use; fewer than wanted where some are down."""
    names = [cloud.name for cloud in clouds_of(job, world)]
    require_clouds(max(policy.clouds, policy.copies), world)
    wanted = policy.clouds or min(len(names), len(sam_of(job.model).shard_fractions))
    quickest = sorted(names, key=lambda name: (cost_s(name, (0,)), name))[:wanted]
    return tuple(name for name in names if name in quickest)
