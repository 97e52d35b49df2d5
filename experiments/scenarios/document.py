"""What a scenario file may say, as pydantic models; its JSON Schema is `schema.json` beside this.

A document holds names and numbers as the user wrote them; `experiments.scenarios.loader` turns
it into a `sim.runner.Scenario`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from experiments.scenarios.faults import FaultsDocument
from real_runner.deployment import Deployment
from sim.runner import AUTO
from topologies.documents import Seconds
from workloads.arrivals import Arrivals, Bursts, Camera, Closed, Poisson
from workloads.catalogue import Painting, Text, workload_named
from workloads.images import Image
from workloads.lengths import Lengths, Lognormal, Uniform
from workloads.llama.acceptance import Independent, Replayed
from workloads.llama.sampling import Sampling
from workloads.replay import Replay
from workloads.workload import Workload


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraDocument(_Document):
    """A frame every ``1 / rate_per_s`` seconds, each late by up to ``jitter``."""

    kind: Literal["camera"]
    rate_per_s: float
    jitter: Seconds = 0.0

    def build(self, folder: Path) -> Arrivals:
        """Return the arrival process."""
        del folder
        return Camera(self.rate_per_s, self.jitter)


class PoissonDocument(_Document):
    """Independent arrivals."""

    kind: Literal["poisson"]
    rate_per_s: float

    def build(self, folder: Path) -> Arrivals:
        """Return the arrival process."""
        del folder
        return Poisson(self.rate_per_s)


class BurstsDocument(_Document):
    """A calm and a busy state, each with Poisson arrivals, of exponential duration."""

    kind: Literal["bursts"]
    low_per_s: float
    high_per_s: float
    mean_low: Seconds
    mean_high: Seconds

    def build(self, folder: Path) -> Arrivals:
        """Return the arrival process."""
        del folder
        return Bursts(self.low_per_s, self.high_per_s, self.mean_low, self.mean_high)


class ClosedDocument(_Document):
    """So many clients per origin, each asking again ``think`` after its last request ended."""

    kind: Literal["closed"]
    clients: int = Field(ge=1)
    think: Seconds = 0.0

    def build(self, folder: Path) -> Arrivals:
        """Return the arrival process."""
        del folder
        return Closed(self.clients, self.think)


class ReplayDocument(_Document):
    """Arrival times in seconds from a file, one per line; ``path`` is relative to the scenario."""

    kind: Literal["replay"]
    path: Path

    def build(self, folder: Path) -> Arrivals:
        """Return the arrival process."""
        return Replay(folder / self.path)


class ImageDocument(_Document):
    """The picture as it is captured."""

    width_px: int = Image().width_px
    height_px: int = Image().height_px
    encoding: str = Image().encoding


class UniformDocument(_Document):
    """Any number from ``low`` to ``high``, equally likely."""

    kind: Literal["uniform"]
    low: int = Field(ge=1)
    high: int = Field(ge=1)

    def build(self) -> Lengths:
        """Return the distribution."""
        return Uniform(self.low, self.high)


class LognormalDocument(_Document):
    """Numbers of this mean and coefficient of variation, from 1 to ``most``."""

    kind: Literal["lognormal"]
    mean: float = Field(ge=1)
    cv: float = Field(gt=0)
    most: int = Field(ge=1)

    def build(self) -> Lengths:
        """Return the distribution."""
        return Lognormal(self.mean, self.cv, self.most)


Tokens = (
    Annotated[int, Field(ge=1)]
    | Annotated[UniformDocument | LognormalDocument, Field(discriminator="kind")]
)


class SamplingDocument(_Document):
    """How tokens are chosen: the likeliest at ``temperature`` 0; ``stop`` at the end token."""

    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    stop: bool = False


Probability = Annotated[float, Field(ge=0, le=1)]
Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class TextDocument(_Document):
    """How long prompts and answers are; a distribution is drawn from for each request.

    ``drafter`` guesses tokens for policies that look ahead: a smaller Llama, by name or by its
    ``config.json``; without one, what followed the last tokens before. ``acceptance`` is how likely
    a guess is to hold in simulation, or how many tokens came of each check, as measured.
    """

    prompt_tokens: Tokens = 16
    output_tokens: Tokens = 300
    sampling: SamplingDocument = SamplingDocument()
    drafter: str = ""
    acceptance: Probability | Counts = 0.0

    def build(self) -> Text:
        """Return what is asked."""
        lengths = (self.prompt_tokens, self.output_tokens)
        prompt, output = (each if isinstance(each, int) else each.build() for each in lengths)
        chosen, holds = self.sampling, self.acceptance
        acceptance = Replayed(holds) if isinstance(holds, tuple) else Independent(holds)
        sampling = Sampling(chosen.temperature, chosen.top_p, chosen.stop)
        return Text(prompt, output, sampling, self.drafter, acceptance)


class PaintingDocument(_Document):
    """How a picture is painted, and how large."""

    steps: int = Field(default=30, ge=1)
    width_px: int = Painting().width_px
    height_px: int = Painting().height_px
    guidance: bool = True
    scheduler: Literal["euler", "ddim", "dpmpp-2m"] = "euler"
    guidance_scale: float = Field(default=Painting().guidance_scale, gt=1)

    def build(self) -> Painting:
        """Return what is asked."""
        return Painting(
            self.steps,
            self.width_px,
            self.height_px,
            self.guidance,
            self.scheduler,
            self.guidance_scale,
        )


class WorkloadDocument(_Document):
    """Which model, on which input, how often, and how many requests in one replication.

    ``model`` is a name (see ``tessera list workloads``) or the path of a Llama's ``config.json``.
    ``image``, ``prompts`` and ``pixel_encoding`` are for models that look at pictures, ``text``
    for those that write, ``painting`` for those that paint.
    """

    model: str
    arrivals: Annotated[
        CameraDocument | PoissonDocument | BurstsDocument | ClosedDocument | ReplayDocument,
        Field(discriminator="kind"),
    ]
    requests: int = Field(ge=1)
    image: ImageDocument = ImageDocument()
    prompts: int = Field(default=1, ge=1)
    precision: str = "fp16"
    pixel_encoding: str = "raw"
    text: TextDocument | None = None
    painting: PaintingDocument | None = None

    def build(self, folder: Path) -> Workload:
        """Return the workload; paths in it are relative to ``folder``."""
        return workload_named(
            self.model,
            self.arrivals.build(folder),
            self.requests,
            image=Image(self.image.width_px, self.image.height_px, self.image.encoding),
            prompts=self.prompts,
            precision=self.precision,
            pixel_encoding=self.pixel_encoding,
            text=self.text.build() if self.text else None,
            painting=self.painting.build() if self.painting else None,
            folder=folder,
        )


def _count_or_auto(value: object) -> object:
    if isinstance(value, str) and value != AUTO:
        raise ValueError(f"{value!r}; give a number of requests, or {AUTO}")
    return value


WarmUp = Annotated[Annotated[int, Field(ge=0)] | Literal["auto"], BeforeValidator(_count_or_auto)]


class ScenarioDocument(_Document):
    """One scenario, as written.

    ``topology`` is the name of a shipped one or a path relative to the scenario's file;
    ``policy`` as in `sim.policies.registry`; ``origins`` default to every sensor, or to every
    edge where there is no sensor; ``warm_up`` requests of each replication are not counted, as
    many as MSER-5 finds where it is ``auto``;
    ``view_age`` is how old the policy's view of the world is; a request not answered within
    ``patience`` is given up; ``faults`` are what goes wrong, or
    the path of a file that says so. ``cost`` names, for devices of the topology, the files of
    their measured times (see `sim.calibration`; written by ``tessera calibrate``), ``real`` says
    how the nodes are made real. Paths are relative to the scenario's file.
    """

    description: str = ""
    topology: str
    workload: WorkloadDocument
    policy: str = "sharded/deferred"
    origins: tuple[str, ...] = ()
    deadline: Seconds
    seed: int = Field(default=0, ge=0)
    replications: int = Field(default=10, ge=1)
    warm_up: WarmUp = 0
    view_age: Seconds = 0.0
    patience: Seconds | None = None
    faults: FaultsDocument | str = FaultsDocument()
    cost: dict[str, Path] = {}
    real: Deployment = Deployment()
