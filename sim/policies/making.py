"""One round of a sharded plan, while it is written."""

from typing import NamedTuple

from sim.plan import PlanBuilder
from sim.policies.task import Task, Trip
from workloads.stage import Round, Shard

Steps = tuple[int, ...]
"""What to come after."""

Sent = tuple[tuple[str, Shard], ...]
"""Nodes, and what each is sent."""


class Making(NamedTuple):
    """The round of a task with this ``number``: its ``part`` of the work, and who begins and ends.

    ``codec`` writes what travels apart from pixels.
    """

    builder: PlanBuilder
    part: Round
    task: Task
    number: int
    edge: str
    codec: str

    def upload(self, node: str, shard: Shard, after: Steps) -> Steps:
        """Append a shard's way to a node."""
        return self.builder.transfer(self.edge, node, self.part.up(shard), self.codec, after)

    def rest(self, node: str, shard: Shard, there: Steps) -> Steps:
        """Append a shard's work on a node, and its way back."""
        done = self.builder.compute(node, (self.part.compute(shard),), there)
        return self.builder.transfer(node, self.edge, self.part.down(shard), self.codec, done)

    def trip(self, node: str, shard: Shard) -> Trip:
        """Return what a shard's trip is predicted to take."""
        return self.task.rounds_of(node, shard)[self.number]

    def merge(self, answers: Steps) -> Steps:
        """Append the edge's work when all answers are back."""
        return self.builder.compute(self.edge, self.part.edge, answers)
