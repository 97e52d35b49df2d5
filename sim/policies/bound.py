"""How soon a sharded request can be answered at best, whoever assigns its windows."""

from sim.policies.placement import Job, chain_payloads, clouds_of, sam_of
from sim.policies.programmed import least_s
from sim.policies.sharded import Sharded, edge_for
from sim.policies.task import Task
from sim.policies.trips import trips_from
from sim.policy import Estimates
from workloads.sam.geometry import windows


def least_latency_s(policy: Sharded, job: Job, world: Estimates) -> float:
    """Return a latency below which no assignment of windows to clouds can come, alone in the world.

    Mode, upload, codec, edge and limits are the policy's, and all clouds that are up may be used.
    It is proven by an integer programme (see `sim.policies.programmed`), for costs that are convex
    in what a shard holds.
    """
    parts, edge = policy.rounds_of(sam_of(job.model)), edge_for(policy, job, world)
    trips = trips_from(parts.rounds, policy.codec, edge, world)
    task = Task(
        windows=windows(sam_of(job.model).variant),
        nodes=tuple(cloud.name for cloud in clouds_of(job, world)),
        cost_s=lambda node, shard: sum(trip.seconds for trip in trips(node, shard)),
        seed=0,
        limits=policy.limits,
        trips=trips,
        providers={cloud.name: cloud.provider for cloud in world.topology.clouds},
    )
    at_edge = (job.model.prepare, *parts.before, *(s for r in parts.rounds for s in r.edge))
    there_s = world.transfer_s(job.origin, edge, job.model.captured.fixed_bytes)
    home_s = world.transfer_s(edge, job.origin, chain_payloads(job.model)[-1].fixed_bytes)
    return there_s + world.seconds(at_edge, edge) + least_s(task) + home_s
