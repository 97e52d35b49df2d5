"""A world that stands in for the real one: the simulator under parameters of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from experiments.fidelity.beliefs import in_world
from experiments.scenarios.loader import load
from sim.cost import CostModel
from sim.engine.simulator import Simulator
from sim.runner import Scenario
from sim.trace import Sink, Trace
from topologies.device import Device
from topologies.serving import NoiseModel
from topologies.topology import Link, Topology
from workloads.stage import Stage

SMALL = (
    "workload.model=sam-small",
    "workload.requests=16",
    "workload.arrivals.rate_per_s=0.5",
    "replications=1",
    "warm_up=2",
    "view_age=0ms",
)


MESSAGE_BYTES = 8_000


@dataclass(frozen=True)
class Law:
    """A machine that no data sheet describes: so many seconds per unit of work, by kind."""

    slowness: float = 1.0
    by_kind: Mapping[str, float] = field(default_factory=dict, hash=False)

    def seconds(self, stage: Stage, device: Device) -> float:
        speed = self.slowness * self.by_kind.get(stage.kind, 1.0) * (len(device.name) / 10)
        work_s = 3e-11 * stage.flops + 2e-10 * stage.memory_bytes
        return speed * (work_s + 8e-6 * stage.launches + 2e-4)


def other_links(topology: Topology) -> Topology:
    """Return links of other rates, delays and messages than the scenario's file has."""
    links = [
        Link(
            link.source, link.target, 40e6 * (1 + n), 0.0004 * (1 + n), 60e6 * (1 + n),
            message_bytes=0 if n else MESSAGE_BYTES, back_message_bytes=0,
            coding_bytes=0 if n else MESSAGE_BYTES // 2, back_coding_bytes=0,
        )
        for n, link in enumerate(topology.links)
    ]  # fmt: skip
    return replace(topology, links=tuple(links))


def noisy(topology: Topology, cv: float) -> Topology:
    """Return nodes whose service times stray by this coefficient of variation."""
    if not cv:
        return topology
    nodes = [
        replace(node, serving=replace(node.serving, noise=NoiseModel(cv=cv)))
        if node.device
        else node
        for node in topology.nodes
    ]
    return replace(topology, nodes=tuple(nodes))


@dataclass
class Elsewhere:
    """Runs scenarios in another world than they say, as the real runner does."""

    cost: CostModel = Law()
    cv: float = 0.0
    runs: int = 0

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        self.runs += 1
        world = noisy(other_links(scenario.topology), self.cv)
        moved = replace(in_world(scenario, world, self.cost), seed=scenario.seed)
        if self.cv:  # the same requests, but another day: noise is drawn anew
            moved = _Reseeded(**{f: getattr(moved, f) for f in moved.__dataclass_fields__})
            object.__setattr__(moved, "day", self.runs)
        return _real(Simulator().run(moved, replication, sink and Sink(_taking(sink))))


def _real(trace: Trace) -> Trace:
    trace.world = "real"
    return trace


def _taking(sink: Sink) -> Callable[[Trace], object]:
    return lambda chunk: sink.take(_real(chunk))


@dataclass(frozen=True)
class _Reseeded(Scenario):
    """A scenario whose arrivals are as ever and all else is drawn anew each day."""

    day: int = 0

    def generator(self, replication: int, purpose: str = "") -> np.random.Generator:
        usual = super().generator(replication, purpose)
        return usual.spawn(self.day + 1)[-1] if purpose else usual


MakeScenarios = Callable[..., list[Scenario]]


@pytest.fixture
def scenarios() -> MakeScenarios:
    """Return a maker of one small scenario under each of the policies given."""

    def make(*policies: str, settings: tuple[str, ...] = ()) -> list[Scenario]:
        return [load("orin-nano-4-clouds", [*SMALL, *settings], policy=each) for each in policies]

    return make
