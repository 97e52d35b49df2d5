"""The unsplit chain over several nodes, cut where dynamic programming finds it best."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sim.errors import PolicyError
from sim.plan import Plan
from sim.policies.placement import Job, chain_edge, chain_payloads, chain_stages, clouds_of, job_of
from sim.policies.staged import staged_plan
from sim.policy import Estimates, Progress, View
from workloads.codec import codec_named
from workloads.stage import Request

Seconds = npt.NDArray[np.float64]
_SLACK = 1 + 1e-12
"""Sums that are equal may differ by rounding."""


@dataclass(frozen=True)
class Pipeline:
    """Each stage on some node, cut as often as it helps: for the least latency, or throughput.

    For ``latency`` it finds the least predicted sum over all ways to give each stage to any node
    (a shortest path, stage by stage: Bellman 1958); what is queued at a cloud counts whenever the
    chain comes to it. For ``throughput`` each node takes part once, in one run of stages, the edge
    first and clouds in the order of their speed, any left out; what counts is the slowest of all
    runs and transfers, since that is how often a request can be taken on (as for PipeDream,
    Narayanan et al. 2019, doi 10.1145/3341301.3359646), and of equals the least latency. The first
    ``head`` stages stay at the edge. ``codec`` writes the activations; ``edge`` names the edge,
    see `sim.policies.placement.edge_of`.
    """

    objective: Literal["latency", "throughput"] = "latency"
    head: int = 0
    codec: str = "fp16"
    edge: str = ""

    def __post_init__(self) -> None:
        if self.head < 0:
            raise PolicyError(f"head: {self.head} is negative; give the stages that stay")

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Choose a node for each stage, and plan it."""
        del progress
        job, world = job_of(request), view.estimates
        edge = chain_edge(job, world, self.edge)
        times = _times(self, job, edge, world)
        if self.objective == "throughput":
            return _plan(job, edge, _steadiest(times), self.codec)
        queued = np.array([0.0, *(view.backlog_s.get(node, 0.0) for node in times.nodes[1:])])
        return _plan(job, edge, soonest(times, queued), self.codec)


class Times(NamedTuple):
    """Predicted seconds of a chain of I stages on J ``nodes``, the edge first.

    ``stage_s`` is (J, I), the first ``head`` stages for the edge only; ``move_s`` (I + 1, J, J)
    takes what goes into each stage, and at last the answer, from one node to another;
    ``before_s`` is what the edge does first in any case, ``home_s`` (J,) brings the answer home.
    """

    nodes: tuple[str, ...]
    stage_s: Seconds
    move_s: Seconds
    before_s: float
    home_s: Seconds
    head: int = 0

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def soonest(times: Times, queued_s: Seconds) -> tuple[str, ...]:
    """Return the node of each stage for the least sum; ``queued_s`` (J,) delays who comes there."""
    apart = ~np.eye(len(times.nodes), dtype=bool)
    reached = np.full(len(times.nodes), np.inf)
    reached[0] = times.before_s
    came_from = []
    for place, stage_s in enumerate(times.stage_s.T):
        ways = reached[:, None] + times.move_s[place] + queued_s * apart
        came_from.append(ways.argmin(axis=0))
        reached = ways.min(axis=0) + stage_s
        if place < times.head:
            reached[1:] = np.inf
    return _followed(times, int((reached + times.home_s).argmin()), came_from)


def steadiest(times: Times) -> tuple[str, ...]:
    """Return the node of each stage for the least period, and of those the least latency."""
    period_s, _ = _runs(times, np.inf)
    _, owners = _runs(times, period_s * _SLACK)
    return owners


@lru_cache(maxsize=1024)
def _steadiest(times: Times) -> tuple[str, ...]:
    return steadiest(times)


def _runs(times: Times, most_s: float) -> tuple[float, tuple[str, ...]]:
    """Return the least period, or where ``most_s`` is finite the least latency within that.

    ``best[j, i]`` is that of the first i stages, node j having run the last of them; before any,
    the edge has. Each node takes its run after those before it in order.
    """
    count, stages = times.stage_s.shape
    total = np.zeros((count, stages + 1))
    total[:, 1:] = times.stage_s.cumsum(axis=1)
    total[0] += times.before_s
    joined = np.maximum if most_s == np.inf else np.add
    best = np.full((count, stages + 1), np.inf)
    best[0] = np.where(total[0] <= most_s, total[0], np.inf)
    came = np.zeros((count, stages + 1, 2), int)
    for node in range(1, count):
        for end in range(1, stages + 1):
            run_s = total[node, end] - total[node, :end]
            moved_s = times.move_s[:end, :node, node].T
            pieces = joined(moved_s, run_s)
            allowed = np.maximum(moved_s, run_s) <= most_s
            allowed[:, : times.head] = False
            ways = np.where(allowed, joined(best[:node, :end], pieces), np.inf)
            place = np.unravel_index(int(ways.argmin()), ways.shape)
            best[node, end], came[node, end] = ways[place], place
    home_s = times.home_s
    whole = np.where(home_s <= most_s, joined(best[:, stages], home_s), np.inf)
    return float(whole.min()), _owners(times, int(whole.argmin()), came)


def _owners(times: Times, last: int, came: npt.NDArray[Any]) -> tuple[str, ...]:
    owners, end = list[str](), times.stage_s.shape[1]
    while last:
        before, begun = came[last, end]
        owners += [times.nodes[last]] * (end - begun)
        last, end = int(before), int(begun)
    return tuple(reversed(owners + [times.nodes[0]] * end))


def _followed(times: Times, last: int, came_from: list[npt.NDArray[Any]]) -> tuple[str, ...]:
    places = [last]
    for before in reversed(came_from[1:]):
        places.append(int(before[places[-1]]))
    return tuple(times.nodes[place] for place in reversed(places))


@lru_cache(maxsize=256)
def _times(policy: Pipeline, job: Job, edge: str, world: Estimates) -> Times:
    stages, codec = chain_stages(job.model), codec_named(policy.codec)
    sizes = [payload.encoded_bytes(codec) for payload in chain_payloads(job.model)]
    clouds = [cloud.name for cloud in clouds_of(job, world)]
    quickest = sorted(clouds, key=lambda name: (world.seconds(stages, name), name))
    nodes = (edge, *quickest)
    stage_s = np.array([[world.seconds((stage,), node) for stage in stages] for node in nodes])
    ways = [[world.way(source, target) for target in nodes] for source in nodes]
    move_s = np.array([[[way.seconds(size) for way in row] for row in ways] for size in sizes])
    answer = chain_payloads(job.model)[-1].fixed_bytes
    return Times(
        nodes,
        stage_s,
        move_s,
        world.seconds((job.model.prepare,), edge),
        np.array([world.transfer_s(node, job.origin, answer) for node in nodes]),
        policy.head,
    )


@lru_cache(maxsize=4096)
def _plan(job: Job, edge: str, nodes: tuple[str, ...], codec: str) -> Plan:
    return staged_plan(job, edge, nodes, codec)
