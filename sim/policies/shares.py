"""SAM by additive secret shares: clouds multiply numbers that tell them nothing.

What is shared and what it costs stands in `workloads.sam.shares`. There are no windows to assign:
each of N clouds gets one share of every layer's input, and all of them must answer.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import ClassVar, Literal

from sim.errors import CannotServeError, PolicyError
from sim.plan import Compute, Plan, PlanBuilder
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
from sim.policy import UNTOUCHED, Estimates, Progress, View
from workloads.sam.model import Sam
from workloads.sam.shares import SharedRound, finished_layer, shared_rounds
from workloads.stage import Request, Stage

_RAW = "fp16"
"""A codec must be named, though none touches shares."""


@dataclass(frozen=True)
class Shares:
    """Additive secret shares of linear layers, private against all but one of the clouds.

    ``clouds`` is how many shares there are, each on a cloud of its own: those that promise to be
    quickest, of different providers as far as there are any, since one provider's clouds are one
    adversary. ``blocks`` is how many blocks have their linear layers shared, from the first one:
    0 for the patch embedding alone (one round trip), ``all`` for the most work off the edge (four
    more per block). ``edge`` names the edge (empty: see `sim.policies.placement.edge_of`).
    """

    reads_load: ClassVar[bool] = False

    clouds: int = 2
    blocks: int | Literal["all"] = "all"
    edge: str = ""

    def __post_init__(self) -> None:
        if self.clouds < 2:
            raise PolicyError(
                f"clouds: {self.clouds}; give at least 2, since a single share is the input itself"
            )
        if self.blocks != "all" and self.blocks < 0:
            raise PolicyError(f"blocks: {self.blocks} is negative; give 0 or more, or 'all'")

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return what is left of the request as one plan.

        After a loss the layers that the edge has put together stand; the one that was under way
        begins again with fresh shares, whatever is back of the old ones.
        """
        job = job_of(request)
        if progress.plans == 0:
            return _first_plan(self, job, view.estimates)
        return _plan(self, job, view.estimates, progress)


@lru_cache(maxsize=4096)
def _first_plan(policy: Shares, job: Job, world: Estimates) -> Plan:
    return _plan(policy, job, world, UNTOUCHED)


def _plan(policy: Shares, job: Job, world: Estimates, progress: Progress) -> Plan:
    model = sam_of(job.model)
    rounds = shared_rounds(model, policy.clouds, _blocks(policy, model), progress.plans)
    at_edge = tuple(stage for part in rounds for stage in (part.share, *part.edge))
    edge = edge_of(job, world, (model.prepare, *at_edge), policy.edge)
    nodes = _chosen_clouds(policy, job, world, edge, rounds)
    computed = [
        stage
        for step in progress.finished
        if isinstance(step, Compute) and step.node == edge
        for stage in step.stages
    ]
    done = {finished_layer(stage) for stage in computed}
    builder = PlanBuilder()
    ready = () if model.prepare in computed else fetch_to(builder, job, edge)
    due: tuple[Stage, ...] = ()
    for part in rounds:
        if (part.layer.name, part.layer.blocks) not in done:
            ready = builder.compute(edge, (*due, part.share), ready)
            ready = _round_trip(builder, part, edge, nodes, ready)
            due = part.edge
    return answer_from(builder, job, edge, builder.compute(edge, due, ready))


def _round_trip(
    builder: PlanBuilder,
    part: SharedRound,
    edge: str,
    nodes: tuple[str, ...],
    ready: tuple[int, ...],
) -> tuple[int, ...]:
    back: list[int] = []
    for node, up, stage, down in zip(nodes, part.up, part.compute, part.down, strict=True):
        there = builder.transfer(edge, node, up, _RAW, ready)
        product = builder.compute(node, (stage,), there)
        back.extend(builder.transfer(node, edge, down, _RAW, product))
    return tuple(back)


def _chosen_clouds(
    policy: Shares, job: Job, world: Estimates, edge: str, rounds: tuple[SharedRound, ...]
) -> tuple[str, ...]:
    """Return one cloud per share, the quickest of each provider before any second one."""
    require_clouds(policy.clouds, world)
    up = clouds_of(job, world)
    if len(up) < policy.clouds:
        raise CannotServeError(f"{len(up)} clouds are up, and {policy.clouds} shares need as many")
    quickest = sorted(
        (cloud.provider or cloud.name, _cost_s(world, edge, cloud.name, rounds), cloud.name)
        for cloud in up
    )
    ranked = [
        (turn, cost_s, name)
        for _, own in groupby(quickest, key=itemgetter(0))
        for turn, (_, cost_s, name) in enumerate(own)
    ]
    return tuple(name for _, _, name in sorted(ranked)[: policy.clouds])


def _cost_s(world: Estimates, edge: str, node: str, rounds: tuple[SharedRound, ...]) -> float:
    """Predict the seconds that a cloud takes for one share of every layer."""
    there, back = world.way(edge, node), world.way(node, edge)
    return sum(
        there.seconds(part.up[0].fixed_bytes)
        + world.seconds(part.compute[:1], node)
        + back.seconds(part.down[0].fixed_bytes)
        for part in rounds
    )


def _blocks(policy: Shares, model: Sam) -> int:
    depth = model.variant.depth
    if policy.blocks == "all":
        return depth
    if policy.blocks > depth:
        raise PolicyError(
            f"blocks: {policy.blocks} wanted, but {model.name} has {depth}; "
            "ask for fewer, or for 'all'"
        )
    return policy.blocks
