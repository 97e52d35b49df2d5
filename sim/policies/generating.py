"""What all policies of generative models share, and the two that split nothing."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

from sim.errors import CannotServeError, PolicyError
from sim.plan import Compute, Plan, PlanBuilder, Transfer
from sim.policies.chain import Local, Offload
from sim.policies.placement import Job, chain_stages, clouds_of, edge_of, job_of
from sim.policies.token_rounds import Pace, Round, ends, rounds
from sim.policy import Estimates, Progress, View
from topologies.topology import Node
from workloads.llama.model import Llama, tokens
from workloads.sdxl.model import Sdxl
from workloads.stage import Model, Request, Stage


class Site(NamedTuple):
    """A node that writes a text alone, as head and tail where ``cut`` is above 0."""

    node: str
    cut: int = 0

    def stages(self, llama: Llama, trip: Round) -> tuple[Stage, ...]:
        """Return what it runs in one round, every position for which it has no caches yet."""
        new, past = trip.sent, trip.sent_past
        if not self.cut:
            return (llama.whole(new, past, tokens=trip.tokens),)
        tail = llama.tail(self.cut, new, past, tokens=trip.tokens)
        return (llama.head(self.cut, new, past), tail)


def llama_of(model: Model) -> Llama:
    """Return the model of a request as a Llama; raise `PolicyError` for any other."""
    if not isinstance(model, Llama):
        raise PolicyError(f"model {model.name!r} writes no text; use this policy with a Llama")
    return model


def sdxl_of(model: Model) -> Sdxl:
    """Return the model of a request as an SDXL; raise `PolicyError` for any other."""
    if not isinstance(model, Sdxl):
        raise PolicyError(
            f"model {model.name!r} paints nothing; use this policy with Stable Diffusion XL"
        )
    return model


def text_bytes(llama: Llama, weights_bytes: float, layers: int) -> float:
    """Return what a part of so many layers needs: its weights, and its caches at a text's end."""
    positions = llama.prompt_tokens + llama.output_tokens
    return weights_bytes + positions * llama.kv_bytes(layers)


def has_room(node: Node, needed_bytes: float) -> bool:
    """Whether a node's device has the memory."""
    return node.device is not None and node.device.memory_bytes >= needed_bytes


def require_room(world: Estimates, name: str, needed_bytes: float) -> None:
    """Raise `CannotServeError` where a node's device lacks the memory."""
    node = world.topology.node(name)
    if not has_room(node, needed_bytes):
        there_bytes = node.device.memory_bytes if node.device else 0
        raise CannotServeError(
            f"weights and caches need {needed_bytes / 1e9:.3g} GB, but {name!r} has "
            f"{there_bytes / 1e9:.3g} GB; split the model, or take a smaller one"
        )


def tokens_done(progress: Progress, node: str) -> int:
    """Return how many tokens of the answer were chosen on ``node``, and still lie there."""
    return sum(
        tokens
        for step, tokens in zip(progress.finished, progress.tokens, strict=True)
        if tokens and isinstance(step, Compute) and step.node == node
    )


def is_answered(llama: Llama, progress: Progress, done: int) -> bool:
    """Whether a text of which ``done`` tokens are there is as long as it is to be."""
    return progress.ended or done >= llama.output_tokens


def complete_alone(job: Job, site: Site, progress: Progress) -> Plan:
    """Plan what comes next of a text on one node; each token goes to the origin as it comes.

    After a loss the origin sends the prompt again, and the tokens that it has.
    """
    llama, node = llama_of(job.model), site.node
    done = _delivered(progress, job.origin)
    if is_answered(llama, progress, done):
        return Plan(())
    cached = working_on(progress) == node
    builder = PlanBuilder()
    ready: tuple[int, ...] = ()
    if not cached:
        ready = builder.transfer(job.origin, node, job.model.captured, "fp16", ())
        if done:
            ready += builder.transfer(job.origin, node, tokens(done), "fp16", ())
    length = llama.prompt_tokens, llama.output_tokens
    pace = Pace(may_end=llama.sampling.stop)
    trips = rounds(pace, *length, done, cached=cached)
    for trip in trips:
        ready = builder.compute(node, site.stages(llama, trip), ready)
        payload = tokens(trip.tokens, trip.first_token(llama.prompt_tokens))
        builder.transfer(node, job.origin, payload, "fp16", ready)
    return builder.build(completes=ends(trips, *length) and not pace.may_end)


def working_on(progress: Progress) -> str:
    """Return the node that computed last, and still has what it computed; none after a loss."""
    if progress.lost:
        return ""
    nodes = (step.node for step in reversed(progress.finished) if isinstance(step, Compute))
    return next(nodes, "")


def _delivered(progress: Progress, origin: str) -> int:
    """Return how many tokens lie at the origin: chosen there, or sent there."""
    sent = sum(
        tokens
        for step, tokens in zip(progress.finished, progress.tokens, strict=True)
        if tokens and isinstance(step, Transfer) and step.target == origin
    )
    return sent + tokens_done(progress, origin)


@dataclass(frozen=True)
class EdgeOnly:
    """The whole generative model on the trusted edge: no cloud sees anything.

    ``edge`` names the node; empty: see `sim.policies.placement.edge_of`.
    """

    reads_load: ClassVar[bool] = False

    edge: str = ""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return all that is left of the answer as one plan."""
        job = job_of(request)
        if not isinstance(job.model, Llama):
            sdxl_of(job.model)
            return Local(self.edge).plan(request, progress, view)
        edge = edge_of(job, view.estimates, chain_stages(job.model), self.edge)
        require_room(view.estimates, edge, _whole_bytes(job.model))
        return _alone(job, edge, progress)


@dataclass(frozen=True)
class CloudOnly:
    """The prompt to the single cloud that promises the earliest answer: no privacy."""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return all that is left of the answer as one plan."""
        job = job_of(request)
        if not isinstance(job.model, Llama):
            sdxl_of(job.model)
            return Offload().plan(request, progress, view)
        idle_s = _forecast_s(job, view.estimates)
        if not idle_s:
            raise CannotServeError(
                f"no cloud that is up has the memory for {_whole_bytes(job.model) / 1e9:.3g} GB of "
                "weights and caches; split the model, or take a smaller one"
            )
        cloud = min(idle_s, key=lambda name: (idle_s[name] + view.backlog_s[name], name))
        return _alone(job, working_on(progress) or cloud, progress)


def _alone(job: Job, node: str, progress: Progress) -> Plan:
    if progress.plans == 0:
        return _first_plan(job, node)
    return complete_alone(job, Site(node), progress)


@lru_cache(maxsize=64)
def _first_plan(job: Job, node: str) -> Plan:
    return complete_alone(job, Site(node), Progress())


@lru_cache(maxsize=1024)
def _forecast_s(job: Job, world: Estimates) -> dict[str, float]:
    stages = chain_stages(job.model)
    needed_bytes = _whole_bytes(llama_of(job.model))
    return {
        cloud.name: world.way(job.origin, cloud.name).delay_s
        + world.seconds(stages, cloud.name)
        + world.way(cloud.name, job.origin).delay_s
        for cloud in clouds_of(job, world)
        if has_room(cloud, needed_bytes)
    }


def _whole_bytes(llama: Llama) -> float:
    return text_bytes(llama, llama.whole(1, 0).weight_bytes, llama.layers)
