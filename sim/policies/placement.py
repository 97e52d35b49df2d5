"""Where a request's trusted work runs and how its answer gets home: shared by all policies."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sim.errors import CannotServeError, PolicyError
from sim.plan import Plan, PlanBuilder
from sim.policy import Estimates
from topologies.topology import Node
from workloads.sam.model import Sam
from workloads.stage import Model, Payload, Request, Stage


class Job(NamedTuple):
    """The part of a request that its plan depends on; equal jobs can share a plan."""

    model: Model
    origin: str


def job_of(request: Request) -> Job:
    """Return what to remember the request's plan by."""
    return Job(request.model, request.origin)


def edge_of(
    job: Job,
    world: Estimates,
    stages: Sequence[Stage],
    named: str = "",
    beyond_s: Callable[[str], float] = lambda _: 0.0,
) -> str:
    """Return the trusted node that does the edge's work, ``stages``, for ``job``.

    That is the node ``named``, where one is; else the origin, where its role is ``edge``; else
    the trusted node that would have the answer first: the way there, the work, and
    ``beyond_s(node)``, what it then takes from there.
    """
    if named:
        return _if_up(job, world, _named_edge(world, named))
    if world.topology.node(job.origin).role == "edge":
        return _if_up(job, world, job.origin)
    trusted = [node.name for node in world.topology.trusted]
    candidates = [name for name in trusted if world.is_up(job.origin, name)]
    if trusted and not candidates:
        raise CannotServeError("no trusted node is up")
    if not candidates:
        raise PolicyError(
            f"topology {world.topology.name!r} has no trusted node with a device; "
            "add one, or use the policy 'offload'"
        )
    size_bytes = job.model.captured.fixed_bytes
    return min(
        candidates,
        key=lambda name: (
            world.transfer_s(job.origin, name, size_bytes)
            + world.seconds(tuple(stages), name)
            + beyond_s(name)
        ),
    )


def chain_edge(job: Job, world: Estimates, named: str = "") -> str:
    """Return the edge of a policy that may run all of the unsplit chain there; see `edge_of`."""
    return edge_of(job, world, (job.model.prepare, *chain_stages(job.model)), named)


def _named_edge(world: Estimates, named: str) -> str:
    node = world.topology.node(named)
    if not node.trusted or node.device is None:
        raise PolicyError(f"edge: node {named!r} is not a trusted node with a device")
    return named


def _if_up(job: Job, world: Estimates, edge: str) -> str:
    if not world.is_up(job.origin, edge):
        raise CannotServeError(f"edge {edge!r} is down or cannot be reached")
    return edge


def clouds_of(job: Job, world: Estimates) -> tuple[Node, ...]:
    """Return the clouds that are up and not trusted.

    Raises `PolicyError` where the topology has none, `CannotServeError` where all are down.
    """
    clouds = tuple(cloud for cloud in world.topology.clouds if not cloud.trusted)
    if not clouds:
        raise PolicyError(
            f"topology {world.topology.name!r} has no untrusted cloud; "
            "add one, or use the policy 'local'"
        )
    up = tuple(cloud for cloud in clouds if world.is_up(job.origin, cloud.name))
    if not up:
        raise CannotServeError("no cloud is up")
    return up


def require_clouds(count: int, world: Estimates) -> None:
    """Raise `PolicyError` where more clouds are wanted than there are, up or down."""
    there = sum(not cloud.trusted for cloud in world.topology.clouds)
    if count > there:
        raise PolicyError(
            f"clouds: {count} wanted, but topology {world.topology.name!r} has {there}; "
            "ask for fewer"
        )


def sam_of(model: Model) -> Sam:
    """Return a model as a SAM; `PolicyError` for any other."""
    if not isinstance(model, Sam):
        raise PolicyError(f"model {model.name!r} is no SAM; use one, or another policy")
    return model


def chain_stages(model: Model) -> tuple[Stage, ...]:
    """Return the stages of the unsplit model, in order."""
    return tuple(link.stage for link in model.chain)


def chain_payloads(model: Model) -> tuple[Payload, ...]:
    """Return what travels when the chain is cut before each stage, and at last the answer."""
    return (model.model_input, *(link.output for link in model.chain))


def fetch_to(builder: PlanBuilder, job: Job, edge: str) -> tuple[int, ...]:
    """Bring the captured input to ``edge`` and prepare it there."""
    arrived = builder.transfer(job.origin, edge, job.model.captured, "fp16", ())
    return builder.compute(edge, (job.model.prepare,), arrived)


def answer_from(builder: PlanBuilder, job: Job, node: str, after: tuple[int, ...]) -> Plan:
    """Bring the answer from ``node`` to the origin and finish the plan."""
    builder.transfer(node, job.origin, chain_payloads(job.model)[-1], "fp16", after)
    return builder.build()
