"""Λ-Split of Stable Diffusion XL: prompt and picture at the edge, the denoiser in a cloud.

After arXiv 2310.14651. Two designs differ in who steps the scheduler:

- ``lockstep``, as published: prompt embeddings, sizes and the first latent (whole) go up once,
  noise comes down at every step, and both sides step the scheduler on what the codec left of it. So
  the cloud ends with the very latent that the edge decodes: the design hides the picture from
  whoever listens to the line, not from the cloud.
- ``edge-scheduler``: only the edge steps; each step's latent goes up, its noise comes down. The
  cloud never holds the last latent, but it has the one before it and made the noise in between.

In both the cloud's denoiser sees latents and the prompt's embeddings. The edge has every latent, so
a cloud that is lost costs what it had not sent, and no step that the edge has taken.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

from sim.errors import PolicyError
from sim.plan import Compute, Plan, PlanBuilder
from sim.policies.generating import sdxl_of
from sim.policies.lambda_split import CodecName
from sim.policies.placement import Job, answer_from, clouds_of, edge_of, fetch_to, job_of
from sim.policy import Estimates, Progress, View
from workloads.codec import codec_named
from workloads.sdxl.model import Sdxl
from workloads.stage import Payload, Request, Stage

Design = Literal["lockstep", "edge-scheduler"]
_SUMMARY: dict[Design, str] = {
    "lockstep": "Edge and cloud both step the scheduler.",
    "edge-scheduler": "Only the edge steps the scheduler.",
}


@dataclass(frozen=True)
class SplitDenoising:
    """The denoiser of Stable Diffusion XL in the cloud that promises the quickest picture.

    ``codec`` writes embeddings, latents and noise. After every ``preview`` steps (0: never) the
    edge makes a small picture of how far it is. ``edge`` names the edge, see
    `sim.policies.placement.edge_of`.
    """

    reads_load: ClassVar[bool] = False

    design: Design
    codec: CodecName = "fp16"
    preview: int = 0
    edge: str = ""

    def __post_init__(self) -> None:
        if self.preview < 0:
            raise PolicyError(f"preview: {self.preview}; give 0 (never) or more")

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return all steps of the picture that are left as one plan."""
        job = job_of(request)
        if progress.plans == 0:
            return _first_plan(self, job, view.estimates)
        return _plan(self, job, view.estimates, progress)


def summary(design: str) -> str:
    """Return one sentence on a design."""
    return next(text for name, text in _SUMMARY.items() if name == design)


@lru_cache(maxsize=64)
def _first_plan(policy: SplitDenoising, job: Job, world: Estimates) -> Plan:
    return _plan(policy, job, world, Progress())


def _plan(policy: SplitDenoising, job: Job, world: Estimates, progress: Progress) -> Plan:
    sdxl = sdxl_of(job.model)
    edge = edge_of(job, world, (sdxl.prepare, sdxl.encode(), sdxl.decode()), policy.edge)
    here = frozenset(
        stage
        for step in progress.finished
        if isinstance(step, Compute) and step.node == edge
        for stage in step.stages
    )
    builder = PlanBuilder()
    encoded: tuple[int, ...] = ()
    if sdxl.encode() not in here:
        encoded = builder.compute(edge, (sdxl.encode(),), fetch_to(builder, job, edge))
    done = _steps_done(policy, sdxl, here) if not encoded else 0
    latent = encoded
    if done < sdxl.steps:
        painting = _Painting(builder, policy, sdxl, edge, _quickest(policy, job, edge, world))
        latent = painting.paint(done, encoded)
    decoded = builder.compute(edge, (sdxl.decode(),), latent)
    return answer_from(builder, job, edge, decoded)


def _steps_done(policy: SplitDenoising, sdxl: Sdxl, here: frozenset[Stage]) -> int:
    """Return after how many of the steps that the edge has taken a cloud can go on."""
    done = sum(sdxl.schedule(step) in here for step in range(sdxl.steps))
    if policy.design == "lockstep" and sdxl.remembers and done < sdxl.steps:
        return 0  # a cloud that steps as well would lack the noise of the steps before
    return done


class _Painting:
    """Writes the steps of one picture between edge and cloud."""

    def __init__(
        self, builder: PlanBuilder, policy: SplitDenoising, sdxl: Sdxl, edge: str, cloud: str
    ) -> None:
        self._builder = builder
        self._policy = policy
        self._sdxl = sdxl
        self._edge = edge
        self._cloud = cloud

    def paint(self, done: int, encoded: tuple[int, ...]) -> tuple[int, ...]:
        """Write the steps that are left, and return what has made the last latent at the edge."""
        told = tuple(step for payload in self._sdxl.told for step in self._send(payload, encoded))
        if self._policy.design == "lockstep":
            return self._lockstep(done, encoded, told)
        return self._edge_scheduler(done, encoded, told)

    def _lockstep(
        self, done: int, encoded: tuple[int, ...], told: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Let the cloud go on as soon as it has stepped; the edge steps as the noise comes in."""
        builder, sdxl = self._builder, self._sdxl
        ready = (*told, *self._send(sdxl.latent(done), encoded, _whole(self._policy.codec)))
        latent = encoded
        for step in range(done, sdxl.steps):
            noise = builder.compute(self._cloud, (sdxl.denoise(step),), ready)
            latent = self._step(step, (*latent, *self._fetch(sdxl.noise(step), noise)))
            stepping = (sdxl.schedule(step, self._policy.codec),)
            ready = builder.compute(self._cloud, stepping, noise)
        return latent

    def _edge_scheduler(
        self, done: int, encoded: tuple[int, ...], told: tuple[int, ...]
    ) -> tuple[int, ...]:
        sdxl = self._sdxl
        latent, needed = encoded, told
        for step in range(done, sdxl.steps):
            there = self._send(sdxl.latent(step), latent)
            noise = self._builder.compute(self._cloud, (sdxl.denoise(step),), (*needed, *there))
            latent, needed = self._step(step, self._fetch(sdxl.noise(step), noise)), ()
        return latent

    def _step(self, step: int, after: tuple[int, ...]) -> tuple[int, ...]:
        """Step the scheduler at the edge, and look at what it has come to now and then."""
        latent = self._builder.compute(self._edge, (self._sdxl.schedule(step),), after)
        done, every = step + 1, self._policy.preview
        if every and done % every == 0 and done < self._sdxl.steps:
            self._builder.compute(self._edge, (self._sdxl.preview(done),), latent)
        return latent

    def _send(self, payload: Payload, after: tuple[int, ...], codec: str = "") -> tuple[int, ...]:
        codec = codec or self._policy.codec
        return self._builder.transfer(self._edge, self._cloud, payload, codec, after)

    def _fetch(self, payload: Payload, after: tuple[int, ...]) -> tuple[int, ...]:
        codec = self._policy.codec
        return self._builder.transfer(self._cloud, self._edge, payload, codec, after)


def _whole(codec: CodecName) -> str:
    """Return a codec that loses nothing: who steps in lockstep must begin with the same latent."""
    return codec if codec == "fp64" else "fp32"


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
