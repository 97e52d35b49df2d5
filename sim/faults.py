"""What goes wrong, and when: one description for the simulator and for the real runner.

A fault happens to a node or to a link at a moment. Faults come from a schedule, from seeded
random processes that alternate between up and down (exponential times), or from both.

====== ========= ==============================================================================
target kind      meaning
====== ========= ==============================================================================
node   crash     what runs and waits there is lost, and so is what lies there
node   recover   it is back, empty
node   leave     it gets nothing new, but finishes what it has
node   join      it is there (again)
node   hang      nothing that it does goes on, and what is sent to it or from it stalls
node   resume    it goes on where it stood; once given up for dead, it is back, empty
node   slow      it computes at ``factor`` times its speed; 1 restores it
link   outage    nothing passes in either direction; what is under way stalls
link   degrade   its capacity is ``factor`` times what it was
link   restore   it is as it was
====== ========= ==============================================================================
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Literal

import numpy as np

from sim.errors import ScenarioError
from topologies.topology import Topology

Kind = Literal[
    "crash", "recover", "leave", "join", "hang", "resume", "slow", "outage", "degrade", "restore"
]

NODE_KINDS = ("crash", "recover", "leave", "join", "hang", "resume", "slow")
LINK_KINDS = ("outage", "degrade", "restore")
_UNDOING: dict[str, Kind] = {
    "crash": "recover",
    "leave": "join",
    "hang": "resume",
    "slow": "slow",
    "outage": "restore",
    "degrade": "restore",
}


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that happens: ``kind`` to ``target``, a node's name or a link's, at ``at_s``.

    Raises `ScenarioError` for a negative time or factor.
    """

    at_s: float
    target: str
    kind: Kind
    factor: float = 1.0

    def __post_init__(self) -> None:
        if not self.at_s >= 0:
            raise ScenarioError(f"fault of {self.target!r}: at {self.at_s!r} is before the start")
        if not 0 < self.factor < float("inf"):
            raise ScenarioError(
                f"fault of {self.target!r}: factor {self.factor!r} must be above 0 and finite"
            )

    @property
    def detail(self) -> str:
        """What its kind does not tell: the factor, where it has one."""
        return f"factor {self.factor:g}" if self.kind in ("slow", "degrade") else ""


@dataclass(frozen=True, slots=True)
class RandomFaults:
    """``target`` is well for a mean of ``mean_up_s``, then suffers ``kind`` for ``mean_down_s``.

    Both times are exponential. Short times make it flap.
    """

    target: str
    kind: Kind
    mean_up_s: float
    mean_down_s: float
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in _UNDOING:
            raise ScenarioError(
                f"random fault of {self.target!r}: kind {self.kind!r} does not begin anything; "
                f"choose one of {', '.join(_UNDOING)}"
            )
        if not (self.mean_up_s > 0 and self.mean_down_s > 0):
            raise ScenarioError(
                f"random fault of {self.target!r}: mean_up and mean_down must be above 0"
            )

    def events(self, rng: np.random.Generator) -> Iterator[Fault]:
        """Yield faults and recoveries in turn, for ever."""
        now_s = 0.0
        while True:
            now_s += rng.exponential(self.mean_up_s)
            yield Fault(now_s, self.target, self.kind, self.factor)
            now_s += rng.exponential(self.mean_down_s)
            yield Fault(now_s, self.target, _UNDOING[self.kind])


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """All faults of a scenario, and how they are noticed.

    A lost step is noticed ``detection_s`` after the crash; a transfer that takes longer than
    ``timeout_s`` is given up and counts as lost. A request whose plan was lost is planned again,
    until ``plans`` of its plans were. A node that hangs for ``silence_s`` is taken for dead: it is
    believed down, and what runs, waits or travels there is lost as by a crash.
    """

    schedule: tuple[Fault, ...] = ()
    random: tuple[RandomFaults, ...] = ()
    detection_s: float = 0.05
    timeout_s: float = 30.0
    plans: int = 10
    silence_s: float = 1.0

    def __post_init__(self) -> None:
        if not (self.detection_s >= 0 and 0 < self.timeout_s < float("inf") and self.plans >= 1):
            raise ScenarioError(
                "faults: detection must be at least 0, timeout above 0 and finite, plans at least 1"
            )
        if not 0 < self.silence_s < float("inf"):
            raise ScenarioError("faults: silence must be above 0 and finite, e.g. 1s")

    def __bool__(self) -> bool:
        return bool(self.schedule or self.random)

    def check(self, topology: Topology) -> None:
        """Raise `ScenarioError` where a target is no node or link of ``topology``."""
        links = {link.name for link in topology.links}
        faults: tuple[Fault | RandomFaults, ...] = (*self.schedule, *self.random)
        for fault in faults:
            if fault.kind in LINK_KINDS and fault.target not in links:
                raise ScenarioError(
                    f"faults: topology {topology.name!r} has no link {fault.target!r}; "
                    f"name it as its ends, e.g. {min(links, default='a->b')!r}"
                )
            if fault.kind in NODE_KINDS:
                topology.node(fault.target)

    def events(self, rng: np.random.Generator) -> Iterator[Fault]:
        """Yield all faults in the order of time; without end where there are random ones."""
        streams = [
            process.events(generator)
            for process, generator in zip(self.random, rng.spawn(len(self.random)), strict=True)
        ]
        return merge(sorted(self.schedule), *streams)
