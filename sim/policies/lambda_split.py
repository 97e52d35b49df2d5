"""Λ-Split of a Llama: head and tail on the trusted edge, the middle on clouds.

After "Λ-Split: A Privacy-Preserving Split Computing Framework for Cloud-Powered Generative AI"
(arXiv 2310.14651). Only hidden states travel: no cloud gets the prompt or a token. A plan holds all
rounds of a text as one chain of steps, so that a text is planned once; with guesses, whose number
that holds nobody knows before, it is planned round by round (see `sim.policies.token_rounds`). Each
part keeps keys and values of its own layers, and the edge the hidden states it has sent: so a cloud
that is lost in the middle of a text costs one round in which another is sent them all, and no
token.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

from sim.errors import PolicyError
from sim.plan import Plan, PlanBuilder
from sim.policies.generating import (
    Site,
    complete_alone,
    is_answered,
    llama_of,
    require_room,
    text_bytes,
    tokens_done,
)
from sim.policies.middle import Cut, Part, parts_at_work, parts_for, require_providers
from sim.policies.placement import Job, edge_of, fetch_to, job_of
from sim.policies.token_rounds import Pace, Round, ends, rounds
from sim.policy import Estimates, Progress, View
from workloads.llama.model import Llama, tokens
from workloads.stage import Payload, Request, Stage

CodecName = Literal["fp64", "fp32", "fp16", "fp8", "int8", "int4"]


@dataclass(frozen=True)
class LambdaSplit:
    """Layers [a, b) of a Llama in the cloud, the rest, prompt and tokens at the edge.

    ``b`` counts from the end where it is negative. ``codec`` writes hidden states. ``clouds`` that
    promise the quickest round, each of another provider, share the middle as consecutive ranges of
    layers (0: one of every provider). ``chunk`` positions of a prompt are read at a time, so that
    reading overlaps with sending (0: all at once). ``draft`` tokens are guessed at the edge for
    each round trip, which checks them all and yields those that are right and one more. ``resend``
    says whether new positions travel or the whole prefix each time, with nothing cached anywhere;
    ``connection`` whether one is kept or a ``new`` one opened for each round. ``edge`` names the
    edge, see `sim.policies.placement.edge_of`.
    """

    reads_load: ClassVar[bool] = False

    a: int = 1
    b: int = -1
    codec: CodecName = "fp16"
    clouds: int = 1
    chunk: int = 0
    draft: int = 0
    resend: Literal["new", "prefix"] = "new"
    connection: Literal["kept", "new"] = "kept"
    edge: str = ""

    def __post_init__(self) -> None:
        if self.a < 1:
            raise PolicyError(f"a: {self.a} would let a cloud embed the prompt; give at least 1")
        for name in ("clouds", "chunk", "draft"):
            if getattr(self, name) < 0:
                raise PolicyError(f"{name}: {getattr(self, name)}; give 0 or more")
        if self.resend == "prefix" and (self.draft or self.chunk):
            raise PolicyError("resend: prefix keeps nothing to guess or read on from; use new")

    def pace(self, llama: Llama) -> Pace:
        """How a text is cut into rounds."""
        return Pace(self.chunk, self.draft, self.resend, llama.sampling.stop)

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the rounds that are left of the text, or the next one, as one plan."""
        job = job_of(request)
        if progress.plans == 0:
            return _first_plan(self, job, view.estimates)
        return _plan(self, job, view.estimates, progress)


@dataclass(frozen=True)
class Pipelined(LambdaSplit):
    """Layers [a, b) in a row over clouds of different providers: none has the whole middle."""

    clouds: int = 0


@lru_cache(maxsize=64)
def _first_plan(policy: LambdaSplit, job: Job, world: Estimates) -> Plan:
    return _plan(policy, job, world, Progress())


def _plan(policy: LambdaSplit, job: Job, world: Estimates, progress: Progress) -> Plan:
    llama = llama_of(job.model)
    b = _end_of_middle(policy, llama)
    one = llama.head(policy.a, 1, llama.prompt_tokens), llama.tail(b, 1, llama.prompt_tokens)
    edge = edge_of(job, world, one, policy.edge)
    kept_bytes = sum(stage.weight_bytes for stage in one)
    require_room(world, edge, text_bytes(llama, kept_bytes, llama.layers - b + policy.a))
    if policy.a == b:
        return complete_alone(job, Site(edge, policy.a), progress)
    done = tokens_done(progress, edge)
    if is_answered(llama, progress, done):
        return Plan(())
    cut = Cut(policy.a, b, policy.codec, policy.clouds)
    require_providers(cut, world)
    kept = parts_at_work(progress, policy.a, b)
    parts = kept or parts_for(cut, job, edge, world)
    builder = PlanBuilder()
    ready = () if done else fetch_to(builder, job, edge)
    length, pace = (llama.prompt_tokens, llama.output_tokens), policy.pace(llama)
    trips = rounds(pace, *length, done, cached=bool(kept))
    _Text(builder, policy, llama, job.origin, edge, parts).write(trips, ready)
    return builder.build(completes=ends(trips, *length) and not pace.may_end)


def _end_of_middle(policy: LambdaSplit, llama: Llama) -> int:
    b = policy.b + llama.layers if policy.b < 0 else policy.b
    if not policy.a <= b < llama.layers:
        raise PolicyError(
            f"a={policy.a}, b={policy.b}: {llama.name} has {llama.layers} layers; give "
            f"0 < a <= b < {llama.layers}"
        )
    return b


class _Text:
    """Writes the steps of one text's rounds; each part works on one round after the other."""

    def __init__(
        self,
        builder: PlanBuilder,
        policy: LambdaSplit,
        llama: Llama,
        origin: str,
        edge: str,
        parts: tuple[Part, ...],
    ) -> None:
        self._builder = builder
        self._policy = policy
        self._llama = llama
        self._origin = origin
        self._edge = edge
        self._parts = parts
        self._last: dict[str, tuple[int, ...]] = {}

    def write(self, trips: tuple[Round, ...], ready: tuple[int, ...]) -> None:
        """Write all rounds: a token is needed to begin the next, a piece of a prompt is not."""
        for trip in trips:
            done = self._round(trip, ready)
            if trip.tokens:
                ready = done
                payload = tokens(trip.tokens, trip.first_token(self._llama.prompt_tokens))
                self._builder.transfer(self._edge, self._origin, payload, "fp16", done)

    def _round(self, trip: Round, ready: tuple[int, ...]) -> tuple[int, ...]:
        """Write one round and return what ends it."""
        llama, policy = self._llama, self._policy
        head: tuple[Stage, ...] = (llama.head(policy.a, trip.new, trip.past),)
        if trip.guesses:
            head = (llama.draft(trip.guesses, trip.past), *head)
        done = self._run(self._edge, "head", head, ready)
        here, hidden = self._edge, llama.hidden(trip.sent, policy.a, trip.sent_past)
        fresh = policy.connection == "new"
        for part in self._parts:
            done = self._carry(here, part.node, hidden, done, fresh=fresh)
            stage = llama.middle(part.first, part.last, trip.sent, trip.sent_past)
            done = self._run(part.node, "middle", (stage,), done)
            here, hidden = part.node, llama.hidden(trip.sent, part.last, trip.sent_past)
        b = self._parts[-1].last
        done = self._carry(here, self._edge, llama.hidden(trip.new, b, trip.past), done)
        tail = llama.tail(b, trip.new, trip.past, tokens=trip.tokens)
        return self._run(self._edge, "tail", (tail,), done)

    def _run(
        self, node: str, part: str, stages: tuple[Stage, ...], after: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Run stages after what they need and after this part's last, whose cache they read."""
        before = self._last.get(node + part, ())
        needed = tuple(sorted({*after, *before}))
        self._last[node + part] = done = self._builder.compute(node, stages, needed)
        return done

    def _carry(
        self,
        source: str,
        target: str,
        hidden: Payload,
        after: tuple[int, ...],
        *,
        fresh: bool = False,
    ) -> tuple[int, ...]:
        return self._builder.transfer(
            source, target, hidden, self._policy.codec, after, fresh=fresh
        )
