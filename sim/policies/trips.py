"""What shards are predicted to take and to cost, round by round: for schemes that ask closely."""

from collections.abc import Callable, Sequence
from functools import cache

from sim.facts import step_facts
from sim.plan import Compute, Transfer
from sim.policies.task import Leg, Trip
from sim.policy import Estimates
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
