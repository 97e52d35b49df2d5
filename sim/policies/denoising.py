"""Λ-Split of Stable Diffusion XL: prompt and picture at the edge, the denoiser in a cloud.

After arXiv 2310.14651. Two designs differ in who steps the scheduler:

- ``lockstep``, as published: prompt embeddings, sizes and the first latent go up once, noise
  comes down at every step, and both sides step the scheduler on what the codec left of it. So the
  cloud ends with the very latent that the edge decodes: the design hides the picture from whoever
  listens to the line, not from the cloud.
- ``edge-scheduler``: only the edge steps; each step's latent goes up, its noise comes down. The
  cloud never holds the last latent, but it has the one before it and made the noise in between.

In both the cloud's denoiser sees latents and the prompt's embeddings.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

from sim.plan import Plan, PlanBuilder
from sim.policies.generating import sdxl_of
from sim.policies.lambda_split import CodecName
from sim.policies.placement import Job, answer_from, clouds_of, edge_of, fetch_to, job_of
from sim.policy import Estimates, Progress, View
from workloads.codec import codec_named
from workloads.sdxl.model import Sdxl
from workloads.stage import Request

Design = Literal["lockstep", "edge-scheduler"]
_SUMMARY: dict[Design, str] = {
    "lockstep": "Edge and cloud both step the scheduler.",
    "edge-scheduler": "Only the edge steps the scheduler.",
}


@dataclass(frozen=True)
class SplitDenoising:
    """The denoiser of Stable Diffusion XL in the cloud that promises the quickest picture.

    ``codec`` writes embeddings, latents and noise; ``edge`` names the edge, see
    `sim.policies.placement.edge_of`.
    """

    reads_load: ClassVar[bool] = False

    design: Design
    codec: CodecName = "fp16"
    edge: str = ""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return all steps of the picture as one plan; after a loss it is painted anew."""
        del progress
        return _plan(self, job_of(request), view.estimates)


def summary(design: str) -> str:
    """Return one sentence on a design."""
    return next(text for name, text in _SUMMARY.items() if name == design)


@lru_cache(maxsize=64)
def _plan(policy: SplitDenoising, job: Job, world: Estimates) -> Plan:
    sdxl = sdxl_of(job.model)
    edge = edge_of(job, world, (sdxl.prepare, sdxl.encode(), sdxl.decode()), policy.edge)
    cloud = _quickest(policy, job, edge, world)
    builder = PlanBuilder()
    encoded = builder.compute(edge, (sdxl.encode(),), fetch_to(builder, job, edge))
    told = tuple(
        step
        for payload in sdxl.told
        for step in builder.transfer(edge, cloud, payload, policy.codec, encoded)
    )
    draw = _lockstep if policy.design == "lockstep" else _edge_scheduler
    latent = draw(builder, policy.codec, sdxl, (edge, cloud), encoded, told)
    done = builder.compute(edge, (sdxl.decode(),), latent)
    return answer_from(builder, job, edge, done)


def _lockstep(
    builder: PlanBuilder,
    codec: str,
    sdxl: Sdxl,
    ends: tuple[str, str],
    encoded: tuple[int, ...],
    told: tuple[int, ...],
) -> tuple[int, ...]:
    """Let the cloud go on as soon as it has stepped; the edge steps as the noise comes in."""
    edge, cloud = ends
    ready = (*told, *builder.transfer(edge, cloud, sdxl.latent(0), codec, encoded))
    latent: tuple[int, ...] = encoded
    for done in range(sdxl.steps):
        noise = builder.compute(cloud, (sdxl.denoise(done),), ready)
        here = builder.transfer(cloud, edge, sdxl.noise(done), codec, noise)
        latent = builder.compute(edge, (sdxl.schedule(done),), (*latent, *here))
        ready = builder.compute(cloud, (sdxl.schedule(done),), noise)
    return latent


def _edge_scheduler(
    builder: PlanBuilder,
    codec: str,
    sdxl: Sdxl,
    ends: tuple[str, str],
    encoded: tuple[int, ...],
    told: tuple[int, ...],
) -> tuple[int, ...]:
    edge, cloud = ends
    latent, needed = encoded, told
    for done in range(sdxl.steps):
        there = builder.transfer(edge, cloud, sdxl.latent(done), codec, latent)
        noise = builder.compute(cloud, (sdxl.denoise(done),), (*needed, *there))
        here = builder.transfer(cloud, edge, sdxl.noise(done), codec, noise)
        latent, needed = builder.compute(edge, (sdxl.schedule(done),), here), ()
    return latent


def _quickest(policy: SplitDenoising, job: Job, edge: str, world: Estimates) -> str:
    """Return the cloud that is done first with one step, its latent there and its noise back."""
    sdxl = sdxl_of(job.model)
    size_bytes = sdxl.latent(0).encoded_bytes(codec_named(policy.codec))
    return min(
        (cloud.name for cloud in clouds_of(job, world)),
        key=lambda name: (
            world.transfer_s(edge, name, size_bytes)
            + world.seconds((sdxl.denoise(0),), name)
            + world.transfer_s(name, edge, size_bytes),
            name,
        ),
    )
