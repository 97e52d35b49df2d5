"""What an interrupted sharded request still has: windows that are back, work that stands."""

from typing import NamedTuple

from sim.plan import Compute, Transfer
from sim.policy import Progress
from workloads.sam.sharding import Sharding
from workloads.stage import Payload, Round, Stage


class Done(NamedTuple):
    """What the edge has computed (as the stages of each step) and what has arrived there."""

    computed: frozenset[tuple[Stage, ...]]
    arrived: tuple[Payload, ...]

    def returned(self, part: Round) -> frozenset[int]:
        """Return the windows whose results of this round are back."""
        return frozenset(
            window
            for payload in self.arrived
            if payload.shard and payload == part.down(payload.shard)
            for window in payload.shard
        )


def done_at(edge: str, progress: Progress, parts: Sharding) -> Done:
    """Return what ``edge`` holds of a sharded request.

    Where clouds keep tensors between rounds, a lost one takes its part of all rounds with it:
    only what the edge did before the first round stands.
    """
    computed = frozenset(
        step.stages for step in progress.finished if isinstance(step, Compute) and step.node == edge
    )
    if parts.stateful:
        return Done(computed - {part.edge for part in parts.rounds}, ())
    arrived = tuple(
        step.payload
        for step in progress.finished
        if isinstance(step, Transfer) and step.target == edge
    )
    return Done(computed, arrived)
