"""The unsplit chain on the edge and one cloud, whichever way its stages are best divided."""

from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import NamedTuple

from sim.errors import PolicyError
from sim.plan import Plan
from sim.policies.cutting import Flow, divided
from sim.policies.placement import Job, chain_edge, chain_payloads, chain_stages, clouds_of, job_of
from sim.policies.staged import staged_plan
from sim.policy import Estimates, Progress, View
from workloads.codec import codec_named
from workloads.stage import Request, Stage


@dataclass(frozen=True)
class MinCut:
    """The first and last stages at the edge, the rest wherever all is done soonest.

    Of all ways to give each stage to the edge or to one cloud, also such that come back, it takes
    the one with the least predicted latency: a minimum cut (see `sim.policies.cutting`). The
    first ``head`` and the last ``tail`` stages stay at the edge, which keeps the input, or the
    answer, from the cloud. What is queued at a cloud counts; what is queued at the edge delays
    every division alike. ``codec`` writes the activations; ``edge`` names the edge, see
    `sim.policies.placement.edge_of`.
    """

    head: int = 0
    tail: int = 0
    codec: str = "fp16"
    edge: str = ""

    def __post_init__(self) -> None:
        for name, count in (("head", self.head), ("tail", self.tail)):
            if count < 0:
                raise PolicyError(f"{name}: {count} is negative; give the stages that stay")

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Choose the cloud and the division for this request, and plan it."""
        del progress
        job, world = job_of(request), view.estimates
        edge = chain_edge(job, world, self.edge)
        found = _divisions(self, job, edge, world)
        chosen = min(found, key=lambda each: each.seconds + view.backlog_s.get(each.cloud, 0.0))
        return _plan(job, edge, chosen, self.codec)


class _Division(NamedTuple):
    """The places of the stages that run in ``cloud`` (empty: none), and how long all takes."""

    cloud: str
    seconds: float
    moved: frozenset[int]


@lru_cache(maxsize=1024)
def _divisions(policy: MinCut, job: Job, edge: str, world: Estimates) -> tuple[_Division, ...]:
    """Return the best of each cloud, and all at the edge first: it wins where others are equal."""
    stages, answer = chain_stages(job.model), chain_payloads(job.model)[-1]
    here_s = _seconds(world, stages, edge)
    home_s = world.transfer_s(edge, job.origin, answer.fixed_bytes)
    found = [_Division("", sum(here_s) + home_s, frozenset())]
    for cloud in clouds_of(job, world):
        seconds, moved = _divided(policy, job, edge, cloud.name, world)
        if moved:
            found.append(_Division(cloud.name, seconds, moved))
    return tuple(found)


def _divided(
    policy: MinCut, job: Job, edge: str, cloud: str, world: Estimates
) -> tuple[float, frozenset[int]]:
    stages, payloads = chain_stages(job.model), chain_payloads(job.model)
    codec, count = codec_named(policy.codec), len(stages)
    here_s, there_s = (dict(enumerate(_seconds(world, stages, node))) for node in (edge, cloud))
    kept = {*range(policy.head), *range(count - policy.tail, count)}
    there_s |= dict.fromkeys(kept & there_s.keys(), inf)
    here_s[count - 1] += world.transfer_s(edge, job.origin, payloads[-1].fixed_bytes)
    there_s[count - 1] += world.transfer_s(cloud, job.origin, payloads[-1].fixed_bytes)
    prepared = -1  # the input, which lies at the edge
    here_s[prepared], there_s[prepared] = 0.0, inf
    flows = []
    for place, payload in enumerate(payloads[:-1]):
        size_bytes = payload.encoded_bytes(codec)
        to_s, from_s = (
            world.transfer_s(*ends, size_bytes) for ends in ((edge, cloud), (cloud, edge))
        )
        flows.append(Flow(place - 1, (place,), to_s, from_s))
    return divided(here_s, there_s, flows)


def _seconds(world: Estimates, stages: tuple[Stage, ...], node: str) -> list[float]:
    return [world.seconds((stage,), node) for stage in stages]


@lru_cache(maxsize=1024)
def _plan(job: Job, edge: str, division: _Division, codec: str) -> Plan:
    count = len(chain_stages(job.model))
    nodes = [division.cloud if place in division.moved else edge for place in range(count)]
    return staged_plan(job, edge, nodes, codec)
