"""Λ-Split that chooses its own cut, codec and guesses: the most private that is quick enough.

Hidden states tell less of the prompt the deeper they are (published inversions recover 58.8 % of
the tokens after two layers, 34.8 % after eight; see the README), and less of the answer the more
layers come after them. So among all cuts that are predicted to meet the target, the one is taken
that keeps most layers between the clouds and the text; where none meets it, the quickest.

Predictions are for a text alone in an idle world, at half of its answer: a round is the edge's
layers, the way to the cloud and back, and the cloud's layers; it yields as many tokens as the
workload says that guesses hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple, cast

from sim.errors import CannotServeError, PolicyError
from sim.plan import Compute, Plan
from sim.policies.generating import has_room, llama_of, text_bytes
from sim.policies.lambda_split import CodecName, LambdaSplit
from sim.policies.middle import Cut, quickest_clouds
from sim.policies.placement import Job, edge_of, job_of
from sim.policy import Estimates, Progress, View
from workloads.codec import codec_named
from workloads.llama.model import Llama
from workloads.stage import Request

DRAFTS = (0, 2, 4, 8)
"""Numbers of guesses that are weighed."""


class Forecast(NamedTuple):
    """What a choice is predicted to come to."""

    tokens_per_s: float
    latency_s: float


@dataclass(frozen=True)
class LambdaSplitBest:
    """The cut [a, b), codec and guesses that keep most from the clouds and meet the target.

    The target is ``tokens_per_s`` between tokens, ``latency_s`` for the whole answer, both, or
    (both 0) none: then the quickest cut is taken. No hidden state leaves the edge before
    ``least_depth`` layers or comes back with fewer than ``least_after`` to go. ``codecs`` are those
    to choose among, as in ``fp16+int8``: what fewer bits do to the text is not predicted.
    ``most_draft`` bounds the guesses (0: none), ``edge`` names the edge.
    """

    reads_load: ClassVar[bool] = False

    tokens_per_s: float = 0.0
    latency_s: float = 0.0
    least_depth: int = 1
    least_after: int = 1
    codecs: str = "fp16"
    most_draft: int = 8
    edge: str = ""

    def __post_init__(self) -> None:
        for name in ("least_depth", "least_after"):
            if getattr(self, name) < 1:
                raise PolicyError(f"{name}: {getattr(self, name)}; give at least 1")
        for name in ("tokens_per_s", "latency_s", "most_draft"):
            if not getattr(self, name) >= 0:
                raise PolicyError(f"{name}: {getattr(self, name)}; give 0 (none) or more")
        for codec in self.formats:
            codec_named(codec)

    @property
    def formats(self) -> tuple[CodecName, ...]:
        """The codecs to choose among."""
        return cast("tuple[CodecName, ...]", tuple(self.codecs.split("+")))

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Choose when a text begins, and keep to it."""
        job = job_of(request)
        found = choice(self, job, view.estimates)
        begun = _cut_at_work(progress)
        if begun is not None:
            found = LambdaSplit(begun[0], begun[1], found.codec, draft=found.draft, edge=found.edge)
        return found.plan(request, progress, view)


@lru_cache(maxsize=256)
def choice(policy: LambdaSplitBest, job: Job, world: Estimates) -> LambdaSplit:
    """Return the split that is chosen; `CannotServeError` where no cut has the memory."""
    llama = llama_of(job.model)
    edge = edge_of(
        job, world, (llama.head(policy.least_depth, 1, llama.prompt_tokens),), policy.edge
    )
    weighed = [
        (split, found)
        for split in _candidates(policy, llama, edge, world)
        if (found := forecast(split, job, edge, world)) is not None
    ]
    if not weighed:
        raise CannotServeError(
            f"no cut of {llama.name} with {policy.least_depth} layers before and "
            f"{policy.least_after} after the middle fits the memory of edge and clouds"
        )
    enough = [each for each in weighed if _meets(policy, each[1])]
    if enough:
        return max(enough, key=lambda each: (_privacy(each[0], llama), each[1]))[0]
    return max(weighed, key=lambda each: (each[1], _privacy(each[0], llama)))[0]


def forecast(split: LambdaSplit, job: Job, edge: str, world: Estimates) -> Forecast | None:
    """Predict what a split comes to; None where no cloud has the memory for its middle."""
    llama = llama_of(job.model)
    cut = Cut(split.a, split.b, split.codec)
    try:
        (cloud,) = quickest_clouds(cut, job, edge, world)
    except CannotServeError:
        return None
    prompt, output, new = llama.prompt_tokens, llama.output_tokens, split.draft + 1
    first_s = _round_s(cut, llama, (edge, cloud), world, (prompt, 0, 1))
    middle = (new, prompt + output // 2, new)
    round_s = _round_s(cut, llama, (edge, cloud), world, middle)
    if split.draft:
        round_s += world.seconds((llama.draft(split.draft, middle[1]),), edge)
    tokens_per_s = llama.acceptance.expected(new) / round_s
    return Forecast(tokens_per_s, first_s + (output - 1) / tokens_per_s)


def _round_s(
    cut: Cut,
    llama: Llama,
    ends: tuple[str, str],
    world: Estimates,
    positions: tuple[int, int, int],
) -> float:
    """Predict a round of ``positions``: new ones, past ones, tokens chosen."""
    (edge, cloud), (new, past, tokens) = ends, positions
    codec = codec_named(cut.codec)
    up, down = (llama.hidden(new, depth).encoded_bytes(codec) for depth in (cut.a, cut.b))
    at_edge = (llama.head(cut.a, new, past), llama.tail(cut.b, new, past, tokens=tokens))
    return (
        world.seconds(at_edge, edge)
        + world.transfer_s(edge, cloud, up)
        + world.seconds((llama.middle(cut.a, cut.b, new, past),), cloud)
        + world.transfer_s(cloud, edge, down)
    )


def _candidates(
    policy: LambdaSplitBest, llama: Llama, edge: str, world: Estimates
) -> Iterator[LambdaSplit]:
    """Yield every split that the edge has the memory for and the floor on privacy allows."""
    node, last = world.topology.node(edge), llama.layers - policy.least_after
    drafts = [draft for draft in DRAFTS if draft <= policy.most_draft]
    for a in range(policy.least_depth, last):
        for b in range(a + 1, last + 1):
            kept = llama.head(a, 1, 1).weight_bytes + llama.tail(b, 1, 1).weight_bytes
            if has_room(node, text_bytes(llama, kept, llama.layers - b + a)):
                for codec in policy.formats:
                    for draft in drafts:
                        yield LambdaSplit(a, b, codec, draft=draft, edge=policy.edge)


def _meets(policy: LambdaSplitBest, found: Forecast) -> bool:
    if not (policy.tokens_per_s or policy.latency_s):
        return False
    in_time = not policy.latency_s or found.latency_s <= policy.latency_s
    return in_time and found.tokens_per_s >= policy.tokens_per_s


def _privacy(split: LambdaSplit, llama: Llama) -> tuple[int, int, int]:
    """Return what is ranked: the thinner side of the edge's layers, the other, bits that travel."""
    sides = (split.a, llama.layers - split.b)
    return min(sides), max(sides), codec_named(split.codec).bits


def _cut_at_work(progress: Progress) -> tuple[int, int] | None:
    """Return the cut that a text has been begun with, if it has."""
    a = b = 0
    for step in progress.finished:
        for stage in step.stages if isinstance(step, Compute) else ():
            if stage.kind == "llama.head":
                a = len(stage.blocks)
            elif stage.kind == "llama.tail":
                b = stage.blocks[0]
    return (a, b) if a and b else None
