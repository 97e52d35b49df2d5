"""The seam: `Policy.plan` turns a request into a plan, seeing the world only through a `View`.

A policy is plain Python: no simulator, no tensors, no I/O. The same object decides in the
simulator and in the real runner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sim.cost import CostModel
from sim.errors import PlanError
from sim.plan import Plan, Step
from topologies.topology import Topology
from workloads.stage import Request, Stage


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of the plans a request has had so far.

    ``finished`` steps tell what is done and where the results lie: that of a `Compute` on its
    node, that of a `Transfer` on its target. The first plan of a request sees `UNTOUCHED`.
    """

    plans: int = 0
    finished: tuple[Step, ...] = ()


UNTOUCHED = Progress()


@dataclass(frozen=True, eq=False)
class Estimates:
    """What is believed of the world and changes seldom.

    Compared by identity, so that a policy can remember a plan for as long as its beliefs hold.
    ``channel_bits_per_s`` is the rate that each directed channel of the topology is believed to
    have.
    """

    topology: Topology
    cost: CostModel
    channel_bits_per_s: tuple[float, ...]

    def seconds(self, stages: tuple[Stage, ...], node: str) -> float:
        """Predict the service time of ``stages`` on an idle ``node``, in seconds."""
        return service_s(self.topology, self.cost, stages, node)

    def transfer_s(self, source: str, target: str, size_bytes: float) -> float:
        """Predict an uncontended transfer: one-way delay plus transmission at the bottleneck."""
        if source == target:
            return 0.0
        route = self.topology.route(source, target)
        slowest = min(self.channel_bits_per_s[channel] for channel in route.channels)
        return route.delay_s + size_bytes * 8 / slowest


@dataclass(frozen=True, slots=True)
class View:
    """A frozen snapshot of the world, ``age_s`` old at the moment of decision.

    ``backlog_s`` maps each compute node to the seconds of work queued or running on it;
    ``channel_flows`` tells how many flows each directed channel of the topology carried.
    """

    now_s: float
    age_s: float
    estimates: Estimates
    backlog_s: Mapping[str, float]
    channel_flows: tuple[int, ...]

    @property
    def topology(self) -> Topology:
        """The nodes and links there are."""
        return self.estimates.topology


def service_s(topology: Topology, cost: CostModel, stages: tuple[Stage, ...], node: str) -> float:
    """Return the service time of ``stages`` on ``node``; `PlanError` where it has no device."""
    device = topology.node(node).device
    if device is None:
        raise PlanError(f"node {node!r} has no device and cannot run {stages[0].kind!r}")
    return sum(cost.seconds(stage, device) for stage in stages)


class Policy(Protocol):
    """Decides what happens to a request. Frozen values with their parameters as fields."""

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the next steps for ``request``.

        Raises `sim.errors.PolicyError` where this request on this topology cannot be served;
        the message names the reason and the remedy.
        """
        ...
