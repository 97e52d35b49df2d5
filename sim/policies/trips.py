"""What shards are predicted to take and to cost, round by round: for schemes that ask closely."""

from collections.abc import Callable, Sequence
from functools import cache

from sim.facts import step_facts
from sim.plan import Compute, Transfer
from sim.policies.placement import Job, clouds_of, sam_of
from sim.policies.task import Leg, Trip
from sim.policy import Estimates
from workloads.codec import codec_named
from workloads.stage import Payload, Round, Shard


def trips_from(
    rounds: Sequence[Round], codec: str, edge: str, world: Estimates
) -> Callable[[str, Shard], tuple[Trip, ...]]:
    """Return how to predict, for a shard on a node, each trip from the edge there and back."""

    def leg(source: str, target: str, payload: Payload) -> tuple[Leg, float]:
        """Return the way of a payload, and what is paid for it."""
        step = Transfer(source, target, payload, codec)
        way = world.way(source, target)
        rates = tuple(
            (channel, world.channel_bits_per_s[channel])
            for channel in world.topology.route(source, target).channels
        )
        sending_s = way.seconds(step.size_bytes) - way.delay_s
        leg = Leg(step.size_bytes, way.delay_s, sending_s, rates)
        return leg, step_facts(step, world.topology).fixed_usd

    def trip(part: Round, node: str, shard: Shard) -> Trip:
        there, there_usd = leg(edge, node, part.up(shard))
        back, back_usd = leg(node, edge, part.down(shard))
        stages = (part.compute(shard),)
        paid = step_facts(Compute(node, stages), world.topology)
        seconds = world.seconds(stages, node)
        computing_usd = paid.fixed_usd + paid.usd_per_s * seconds
        return Trip(there, seconds, back, there_usd + computing_usd + back_usd)

    @cache
    def trips(node: str, shard: Shard) -> tuple[Trip, ...]:
        return tuple(trip(part, node, shard) for part in rounds)

    return trips


def traffic_from(
    rounds: Sequence[Round], codec: str, job: Job, world: Estimates
) -> Callable[[str], float]:
    """Return how to predict, for an edge, the seconds that all shards' traffic takes at least."""
    written, whole = codec_named(codec), sam_of(job.model).whole

    def traffic_s(edge: str) -> float:
        clouds = [cloud.name for cloud in clouds_of(job, world)]
        return sum(
            min(world.transfer_s(edge, cloud, part.up(whole).encoded_bytes(written))
                for cloud in clouds)
            + min(world.transfer_s(cloud, edge, part.down(whole).encoded_bytes(written))
                  for cloud in clouds)
            for part in rounds
        )  # fmt: skip

    return traffic_s
