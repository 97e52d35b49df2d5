"""Sharded SAM: the edge splits the image into windows, clouds attend inside them, the edge merges.

After "A Distributed Framework for Privacy-Enhanced Vision Transformers on the Edge" (SEC 2025,
arXiv 2512.09309). What the clouds run and what comes back is the mode (see
`workloads.sam.modes`); who gets which window is the assignment (see `sim.policies.assignment`).
An assignment stays as it is for as long as the world is believed to be as it is, since a fresh
one for every frame of a static scene would show every cloud the whole of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from zlib import crc32

from sim.errors import PolicyError
from sim.plan import Plan, PlanBuilder
from sim.policies.assignment import SchemeName, Task, assign
from sim.policies.placement import Job, answer_from, clouds_of, edge_of, fetch_to, job_of
from sim.policy import Estimates, Progress, View
from workloads.codec import codec_named
from workloads.sam.geometry import windows
from workloads.sam.model import Sam
from workloads.sam.modes import MODES, rounds
from workloads.sam.sharding import Sharding
from workloads.stage import Model, Request, Round, Shard


@dataclass(frozen=True)
class Sharded:
    """Windows on non-colluding clouds.

    ``codec`` writes what travels apart from pixels; ``upload`` says whether the clouds get pixels
    or patch embeddings; ``clouds`` limits how many are used, those that promise to return a
    single window first (0: all, up to one per window); ``edge`` names the edge (empty: see
    `sim.policies.placement.edge_of`); ``seed`` is for assignments that draw.
    """

    mode: str
    assignment: SchemeName = "speed-proportional"
    codec: Literal["fp32", "fp16", "int8", "int4"] = "fp16"
    upload: Literal["pixels", "embeddings"] = "pixels"
    clouds: int = 0
    edge: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise PolicyError(f"mode: {self.mode!r} is unknown; choose one of {', '.join(MODES)}")
        if self.clouds < 0:
            raise PolicyError(f"clouds: {self.clouds} is negative; give 0 for all of them")

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the whole request as one plan, the same for every request of an origin."""
        del progress
        return _sharded_plan(self, job_of(request), view.estimates)


@lru_cache(maxsize=4096)
def _sharded_plan(policy: Sharded, job: Job, world: Estimates) -> Plan:
    model = _sam(job.model)
    parts = rounds(model, policy.mode, upload=policy.upload)
    at_edge = (model.prepare, *parts.before, *(s for r in parts.rounds for s in r.edge))
    edge = edge_of(job, world, at_edge, policy.edge, _traffic(policy, parts, model, world))
    cost_s = _shard_cost(policy, parts, edge, world)
    task = Task(
        windows(model.variant),
        _chosen_clouds(policy, model, cost_s, world),
        cost_s,
        crc32(job.origin.encode()) + policy.seed,
    )
    builder = PlanBuilder()
    ready = builder.compute(edge, parts.before, fetch_to(builder, job, edge))
    shards = tuple(zip(task.nodes, assign(policy.assignment, task), strict=True))
    for part in parts.rounds:
        ready = _round_trip(builder, part, edge, shards, policy.codec, ready)
    return answer_from(builder, job, edge, ready)


def _round_trip(
    builder: PlanBuilder,
    part: Round,
    edge: str,
    shards: tuple[tuple[str, Shard], ...],
    codec: str,
    ready: tuple[int, ...],
) -> tuple[int, ...]:
    back: list[int] = []
    for node, shard in shards:
        if shard:
            there = builder.transfer(edge, node, part.up(shard), codec, ready)
            done = builder.compute(node, (part.compute(shard),), there)
            back.extend(builder.transfer(node, edge, part.down(shard), codec, done))
    return builder.compute(edge, part.edge, tuple(back))


def _traffic(
    policy: Sharded, parts: Sharding, model: Sam, world: Estimates
) -> Callable[[str], float]:
    """Return how to predict, for an edge, the seconds that all shards' traffic takes at least."""
    codec = codec_named(policy.codec)
    clouds = [cloud.name for cloud in clouds_of(world)]

    def traffic_s(edge: str) -> float:
        return sum(
            min(world.transfer_s(edge, cloud, part.up(model.whole).encoded_bytes(codec))
                for cloud in clouds)
            + min(world.transfer_s(cloud, edge, part.down(model.whole).encoded_bytes(codec))
                  for cloud in clouds)
            for part in parts.rounds
        )  # fmt: skip

    return traffic_s


def _shard_cost(
    policy: Sharded, parts: Sharding, edge: str, world: Estimates
) -> Callable[[str, Shard], float]:
    codec = codec_named(policy.codec)

    def cost_s(node: str, shard: Shard) -> float:
        return sum(
            world.transfer_s(edge, node, part.up(shard).encoded_bytes(codec))
            + world.seconds((part.compute(shard),), node)
            + world.transfer_s(node, edge, part.down(shard).encoded_bytes(codec))
            for part in parts.rounds
        )

    return cost_s


def _chosen_clouds(
    policy: Sharded, model: Sam, cost_s: Callable[[str, Shard], float], world: Estimates
) -> tuple[str, ...]:
    names = [cloud.name for cloud in clouds_of(world)]
    if policy.clouds > len(names):
        raise PolicyError(
            f"clouds: {policy.clouds} wanted, but topology {world.topology.name!r} has "
            f"{len(names)}; ask for fewer"
        )
    wanted = policy.clouds or min(len(names), len(windows(model.variant)))
    quickest = sorted(names, key=lambda name: (cost_s(name, (0,)), name))[:wanted]
    return tuple(name for name in names if name in quickest)


def _sam(model: Model) -> Sam:
    if not isinstance(model, Sam):
        raise PolicyError(
            f"model {model.name!r} does not fall into windows; use this policy with a SAM"
        )
    return model
