"""What an agent sees of the world when a request arrives: a view as numbers from 0 to 1.

Quantities without an upper bound are squashed by x / (1 + x): a backlog of one deadline is 0.5, of
nine 0.9. The order is fixed, and `Features.names` tells it:

- ``backlog NODE``: seconds of work queued or running on each node that computes, in deadlines;
- ``up NODE``: 1 where it is believed to be there;
- ``flows SOURCE->TARGET``: flows on each directed channel;
- ``rate SOURCE->TARGET``: the rate it is believed to have over that of the topology, so 0.5 is
  all of it, and 0 an outage;
- ``age``: how old the view is, ``since``: the time since the last request arrived (1 before the
  first), both in deadlines;
- ``from NODE``: 1 for the node that the request comes from; left out where there is only one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from sim.policy import View
from topologies.topology import Topology
from workloads.stage import Request

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Features:
    """The features of requests from ``origins`` in a ``topology``; durations in ``deadline_s``."""

    topology: Topology
    origins: tuple[str, ...]
    deadline_s: float

    @property
    def names(self) -> tuple[str, ...]:
        """What each number is of, in their order."""
        nodes = [node.name for node in self.topology.nodes if node.device]
        channels = [f"{each.source}->{each.target}" for each in self.topology.channels]
        return (
            *(f"backlog {name}" for name in nodes),
            *(f"up {name}" for name in nodes),
            *(f"flows {name}" for name in channels),
            *(f"rate {name}" for name in channels),
            "age",
            "since",
            *(f"from {name}" for name in self._several_origins),
        )

    def of(self, request: Request, view: View, since_s: float) -> Vector:
        """Return the features of a request that arrives ``since_s`` after the one before."""
        return np.fromiter(self._values(request, view, since_s), np.float32)

    @property
    def _several_origins(self) -> tuple[str, ...]:
        return self.origins if len(self.origins) > 1 else ()

    def _values(self, request: Request, view: View, since_s: float) -> Iterator[float]:
        nodes = [node.name for node in self.topology.nodes if node.device]
        believed = view.estimates.channel_bits_per_s
        yield from (self._in_deadlines(view.backlog_s[name]) for name in nodes)
        yield from (float(name not in view.estimates.down) for name in nodes)
        yield from map(squashed, view.channel_flows)
        for channel, rate_bits_per_s in zip(self.topology.channels, believed, strict=True):
            yield squashed(rate_bits_per_s / channel.rate_bits_per_s)
        yield self._in_deadlines(view.age_s)
        yield self._in_deadlines(since_s)
        yield from (float(name == request.origin) for name in self._several_origins)

    def _in_deadlines(self, seconds: float) -> float:
        return squashed(seconds / self.deadline_s)


def squashed(value: float) -> float:
    """Return a number from 0 to 1 for one from 0 to infinity.

    >>> squashed(1.0), squashed(float("inf"))
    (0.5, 1.0)
    """
    return 1.0 if value == inf else value / (1.0 + value)
