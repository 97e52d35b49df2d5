"""What a shard is predicted to cost on each cloud; clouds that are alike are worked out once."""

from collections.abc import Callable, Hashable, Mapping
from functools import cache, lru_cache

from sim.policy import Estimates, Way
from workloads.codec import codec_named
from workloads.sam.sharding import Sharding
from workloads.stage import Shard


def shard_cost(
    parts: Sharding, codec: str, edge: str, world: Estimates, waiting_s: Mapping[str, float]
) -> Callable[[str, Shard], float]:
    """Return how to predict the seconds until a node has returned a shard to the edge.

    ``waiting_s`` is how long work waits at a node first, where it does.
    """
    prices = _prices(parts, codec, world)

    @cache
    def ways(twin: str) -> tuple[Way, Way]:
        return world.way(edge, twin), world.way(twin, edge)

    def cost_s(node: str, shard: Shard) -> float:
        twin, like = prices.twins[node]
        there, back = ways(twin)
        total_s = waiting_s.get(node, 0.0)
        for up_bytes, computing_s, down_bytes in prices.of(like, shard):
            total_s += there.seconds(up_bytes) + computing_s + back.seconds(down_bytes)
        return total_s

    return cost_s


class _Prices:
    """What a shard costs on a cloud, round by round, whatever the way there.

    Many edges shard alike, so each case is worked out once. ``twins`` are as in `twins`.
    """

    def __init__(self, parts: Sharding, codec: str, world: Estimates) -> None:
        self._rounds = parts.rounds
        self._codec = codec_named(codec)
        self._world = world
        self.twins = twins(world)
        self.of = lru_cache(maxsize=65_536)(self._of)

    def _of(self, node: str, shard: Shard) -> tuple[tuple[float, float, float], ...]:
        """Return per round the bytes to ``node``, the seconds there, and the bytes back."""
        return tuple(
            (
                part.up(shard).encoded_bytes(self._codec),
                self._world.seconds((part.compute(shard),), node),
                part.down(shard).encoded_bytes(self._codec),
            )
            for part in self._rounds
        )


def twins(world: Estimates) -> dict[str, tuple[str, str]]:
    """Return for each cloud two others, each always the same for all that are equal in that.

    The first is reached and computes alike: the same device behind the same link to the same
    neighbour. The second computes alike: the same device.
    """
    links: dict[str, list[tuple[str, str, float, float]]] = {}
    for channel in world.topology.channels:
        rate = world.channel_bits_per_s[channel.index]
        links.setdefault(channel.source, []).append(("to", channel.target, channel.delay_s, rate))
        links.setdefault(channel.target, []).append(("by", channel.source, channel.delay_s, rate))
    first: dict[Hashable, str] = {}
    found: dict[str, tuple[str, str]] = {}
    for cloud in world.topology.clouds:
        own = tuple(sorted(links.get(cloud.name, ())))
        alike = len(own) == 2 and not world.delays_s  # else routes could differ
        place = own if alike else (cloud.name,)
        like = first.setdefault(id(cloud.device), cloud.name)
        found[cloud.name] = first.setdefault((id(cloud.device), place), cloud.name), like
    return found


@lru_cache(maxsize=8)
def _prices(parts: Sharding, codec: str, world: Estimates) -> _Prices:
    return _Prices(parts, codec, world)
