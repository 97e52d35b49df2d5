"""Policies that run the unsplit model as one chain: at the edge, in one cloud, or cut once."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import ClassVar, NamedTuple

from sim.plan import Plan, PlanBuilder
from sim.policies.placement import (
    Job,
    answer_from,
    chain_edge,
    chain_payloads,
    chain_stages,
    clouds_of,
    job_of,
)
from sim.policies.staged import staged_plan
from sim.policy import Estimates, Progress, View
from workloads.codec import codec_named
from workloads.stage import Request, Stage


@dataclass(frozen=True)
class Local:
    """Everything on the trusted edge: no cloud sees anything.

    ``edge`` names the node; empty: see `sim.policies.placement.edge_of`.
    """

    reads_load: ClassVar[bool] = False

    edge: str = ""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Run the whole chain on the edge."""
        del progress
        return _local_plan(job_of(request), self.edge, view.estimates)


@lru_cache(maxsize=1024)
def _local_plan(job: Job, named: str, world: Estimates) -> Plan:
    edge = chain_edge(job, world, named)
    return staged_plan(job, edge, [edge] * len(chain_stages(job.model)), "fp16")


@dataclass(frozen=True)
class Offload:
    """The whole image to the single cloud that promises the earliest answer: no privacy."""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Send the captured input as it is; the cloud prepares it and runs the whole chain."""
        del progress
        job = job_of(request)
        idle_s = _offload_forecast_s(job, view.estimates)
        cloud = min(idle_s, key=lambda name: idle_s[name] + view.backlog_s[name])
        return _offload_plan(job, cloud)


@lru_cache(maxsize=1024)
def _offload_forecast_s(job: Job, world: Estimates) -> dict[str, float]:
    model = job.model
    stages = (model.prepare, *chain_stages(model))
    answer = chain_payloads(model)[-1]
    return {
        cloud.name: world.transfer_s(job.origin, cloud.name, model.captured.fixed_bytes)
        + world.seconds(stages, cloud.name)
        + world.transfer_s(cloud.name, job.origin, answer.fixed_bytes)
        for cloud in clouds_of(job, world)
    }


@lru_cache(maxsize=1024)
def _offload_plan(job: Job, cloud: str) -> Plan:
    builder = PlanBuilder()
    arrived = builder.transfer(job.origin, cloud, job.model.captured, "fp16", ())
    done = builder.compute(cloud, (job.model.prepare, *chain_stages(job.model)), arrived)
    return answer_from(builder, job, cloud, done)


class Cut(NamedTuple):
    """The first ``stages`` of the chain at the edge, the rest in ``cloud`` (empty: no rest)."""

    stages: int
    cloud: str


@dataclass(frozen=True)
class BestSplit:
    """One cut of the chain, the one with the least predicted latency over all cuts and clouds.

    After Neurosurgeon (Kang et al. 2017, doi 10.1145/3037697.3037698): the prediction adds up
    the stages on both sides, the transfers of what the cut sends and of the answer, and what is
    queued at the cloud. What is queued at the edge delays every cut alike. ``codec`` writes the
    activations; ``edge`` names the edge, see `sim.policies.placement.edge_of`.
    """

    codec: str = "fp16"
    edge: str = ""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Choose the cut for this request and plan it."""
        del progress
        job = job_of(request)
        edge = chain_edge(job, view.estimates, self.edge)
        idle_s = _cut_forecast_s(job, edge, self.codec, view.estimates)
        busy_s = {"": 0.0, **view.backlog_s}
        cloud = min(idle_s, key=lambda name: idle_s[name][0] + busy_s[name])
        return _cut_plan(job, edge, idle_s[cloud][1], self.codec)


@lru_cache(maxsize=1024)
def _cut_forecast_s(
    job: Job, edge: str, codec_name: str, world: Estimates
) -> dict[str, tuple[float, Cut]]:
    """For each cloud, the best cut and its predicted latency when idle; "" stands for no cloud."""
    codec = codec_named(codec_name)
    stages = chain_stages(job.model)
    payloads = [payload.encoded_bytes(codec) for payload in chain_payloads(job.model)]
    edge_s = _running_totals(world, stages, edge)
    best = {"": (edge_s[-1], Cut(len(stages), ""))}
    for cloud in clouds_of(job, world):
        cloud_s = _running_totals(world, stages, cloud.name)
        back_s = world.transfer_s(cloud.name, job.origin, payloads[-1])
        best[cloud.name] = min(
            (
                edge_s[cut]
                + world.transfer_s(edge, cloud.name, payloads[cut])
                + (cloud_s[-1] - cloud_s[cut])
                + back_s,
                Cut(cut, cloud.name),
            )
            for cut in range(len(stages))
        )
    return best


def _running_totals(world: Estimates, stages: tuple[Stage, ...], node: str) -> list[float]:
    return list(accumulate((world.seconds((stage,), node) for stage in stages), initial=0.0))


@lru_cache(maxsize=1024)
def _cut_plan(job: Job, edge: str, cut: Cut, codec: str) -> Plan:
    rest = len(chain_stages(job.model)) - cut.stages
    return staged_plan(job, edge, [edge] * cut.stages + [cut.cloud] * rest, codec)
