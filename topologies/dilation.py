"""A topology in slow motion: the same world, in which everything takes so many times as long.

What waits and travels does not grow: a rate divided and a delay multiplied by one factor keep
their product, so queues hold and losses hit what they did.
"""

import math
from dataclasses import replace

from topologies.errors import TopologyError
from topologies.links import Link
from topologies.schedules import Schedule
from topologies.topology import Topology


def slowed(topology: Topology, factor: float) -> Topology:
    """Return ``topology`` with links ``factor`` times slower and longer, and nothing else changed.

    Rates are divided by it; delays, their jitter, and the moments and periods of schedules are
    multiplied. Bytes (queues, what messages cost) and probabilities stay, and so do devices: what
    computes is told how long to take. Raises TopologyError for a factor that is not above 0.

    >>> from topologies.shipped import load
    >>> link = slowed(load("small-sam"), 10).links[0]
    >>> link.rate_bits_per_s, link.delay_s
    (10000000.0, 0.05)
    """
    if not 0 < factor < math.inf:
        raise TopologyError(f"dilation is {factor!r}; it must be finite and above 0")
    if factor == 1:
        return topology
    return replace(topology, links=tuple(_slowed_link(link, factor) for link in topology.links))


def _slowed_link(link: Link, factor: float) -> Link:
    back = link.back_rate_bits_per_s
    return replace(
        link,
        rate_bits_per_s=link.rate_bits_per_s / factor,
        back_rate_bits_per_s=None if back is None else back / factor,
        delay_s=link.delay_s * factor,
        jitter_s=link.jitter_s * factor,
        schedule=_slowed_schedule(link.schedule, factor),
        back_schedule=_slowed_schedule(link.back_schedule, factor),
    )


def _slowed_schedule(schedule: Schedule | None, factor: float) -> Schedule | None:
    if schedule is None:
        return None
    return Schedule(
        tuple(start_s * factor for start_s in schedule.starts_s),
        tuple(rate / factor for rate in schedule.rates_bits_per_s),
        tuple(delay_s * factor for delay_s in schedule.delays_s),
        None if schedule.period_s is None else schedule.period_s * factor,
    )
