"""The seam: `Policy.plan` turns a request into a plan, seeing the world only through a `View`.

A policy is plain Python: no simulator, no tensors, no I/O. The same object decides in the
simulator and in the real runner.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import NamedTuple, Protocol

from sim.cost import CostModel
from sim.errors import PlanError
from sim.plan import Plan, Step
from topologies.topology import Topology
from workloads.stage import Request, Stage


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of the plans a request has had so far.

    ``finished`` steps tell what is done and where the results still lie: that of a `Compute` on
    its node, that of a `Transfer` on its target. ``lost`` steps are those of the last plan that
    a fault undid, ``failures`` counts the plans that did not end as they should. ``tokens`` has,
    for each finished step, how many tokens of an answer it made or brought; the answer has
    ``ended`` where the model itself has ended it. The first plan of a request sees `UNTOUCHED`.
    """

    plans: int = 0
    finished: tuple[Step, ...] = ()
    lost: tuple[Step, ...] = ()
    failures: int = 0
    tokens: tuple[int, ...] = ()
    ended: bool = False


UNTOUCHED = Progress()


class Way(NamedTuple):
    """What a route is believed to be: its one-way delay, and the rate of its slowest channel."""

    delay_s: float
    bits_per_s: float

    def seconds(self, size_bytes: float) -> float:
        """Predict how long a transfer alone on it takes; infinite where nothing passes."""
        return self.delay_s + size_bytes * 8 / self.bits_per_s if self.bits_per_s else inf


@dataclass(frozen=True, eq=False)
class Estimates:
    """What is believed of the world and changes seldom.

    Compared by identity, so that a policy can remember a plan for as long as its beliefs hold.
    ``channel_bits_per_s`` is the rate that each directed channel of the topology is believed to
    have, 0 while it is out; ``down`` are the nodes believed to be gone. ``delays_s`` are one-way
    delays that were measured, by source and target; any other is what the topology says.
    """

    topology: Topology
    cost: CostModel
    channel_bits_per_s: tuple[float, ...]
    down: frozenset[str] = frozenset()
    delays_s: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def seconds(self, stages: tuple[Stage, ...], node: str) -> float:
        """Predict the service time of ``stages`` on an idle ``node``, in seconds."""
        return service_s(self.topology, self.cost, stages, node)

    def transfer_s(self, source: str, target: str, size_bytes: float) -> float:
        """Predict an uncontended transfer: one-way delay plus transmission at the bottleneck."""
        return self.way(source, target).seconds(size_bytes)

    def way(self, source: str, target: str) -> Way:
        """Return what the route is believed to be; that of a node to itself takes no time."""
        route = self.topology.route(source, target)
        rates = map(self.channel_bits_per_s.__getitem__, route.channels)
        delay_s = self.delays_s.get((source, target), route.delay_s)
        return Way(delay_s, min(rates, default=inf))

    def is_up(self, origin: str, node: str) -> bool:
        """Whether ``node`` is there and can be reached from ``origin`` and back."""
        if node in self.down:
            return False
        if not self.out:
            return True
        there, back = self.topology.route(origin, node), self.topology.route(node, origin)
        return self.out.isdisjoint(there.channels) and self.out.isdisjoint(back.channels)

    @cached_property
    def out(self) -> frozenset[int]:
        """The channels on which nothing passes."""
        rates = enumerate(self.channel_bits_per_s)
        return frozenset(channel for channel, rate in rates if not rate)


def aged(seen: Estimates, now: Estimates) -> Estimates:
    """Return what is believed from what was ``seen`` a while ago and what could be seen ``now``.

    Failures that have been detected are known, whatever the age of the rest: that it takes a while
    to detect them is a matter of its own.
    """
    if seen is now or (seen.down == now.down and seen.out == now.out):
        return seen
    return now


class Ending(NamedTuple):
    """How a request ended (``outcome`` as in `sim.trace`), and what its first plan was known as."""

    choice: str
    arrival_s: float
    end_s: float
    outcome: str

    @property
    def latency_s(self) -> float:
        """From its arrival to its end."""
        return self.end_s - self.arrival_s


@dataclass(frozen=True, slots=True)
class View:
    """A frozen snapshot of the world, ``age_s`` old at the moment of decision.

    ``backlog_s`` maps each compute node to the seconds of work queued or running on it;
    ``channel_flows`` tells how many flows each directed channel of the topology carried.
    ``endings`` are the last requests that had ended, in that order.
    """

    now_s: float
    age_s: float
    estimates: Estimates
    backlog_s: Mapping[str, float]
    channel_flows: tuple[int, ...]
    endings: tuple[Ending, ...] = ()

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
    """Decides what happens to a request. Frozen values with their parameters as fields.

    A policy that never looks at a view's ``backlog_s`` and ``channel_flows`` may say so with a
    class attribute ``reads_load = False``. In a large world that saves the runner most of its
    looking around; the view then holds neither, and reading them is an error. One that wants a
    view's ``endings`` says so with ``reads_endings = True``; for any other they are empty.
    """

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Return the next steps for ``request``.

        Raises `sim.errors.CannotServeError`, with the reason, where no plan can serve it as the
        world is now: the request ends with that reason. Raises `sim.errors.PolicyError` where the
        policy fits neither topology nor workload: that ends the run.
        """
        ...
