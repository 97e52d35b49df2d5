"""The trace: what every runner leaves, and the only thing that questions are asked of.

A runner appends one `Record` per step and one `Outcome` per request, nothing else. Sizes, work,
energy and exposure follow from the plan's step and the topology (see `sim.tables` and
`sim.exposure`), so that no two runners can disagree on what they mean.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from sim.plan import Plan
from topologies.topology import Topology
from workloads.stage import Request

FINISHED = "finished"
CANCELLED = "cancelled"


class Record(NamedTuple):
    """One step of one request; times in seconds since the start of the run.

    ``queued_s`` is when the step could have begun, ``start_s`` when its device or link took it
    up, ``end_s`` when its result was there (or when it was cancelled).
    """

    request: int
    attempt: int
    plan: Plan
    step: int
    queued_s: float
    start_s: float
    end_s: float
    outcome: str


class Outcome(NamedTuple):
    """How one request ended; ``reason`` is empty where it finished."""

    request: Request
    end_s: float
    outcome: str
    reason: str

    @property
    def latency_s(self) -> float:
        """Seconds from arrival to end."""
        return self.end_s - self.request.arrival_s


@dataclass(slots=True)
class Trace:
    """All records of one run of one replication; ``world`` is ``sim`` or ``real``.

    ``busy_s`` per node and ``carried_bytes`` per channel are the runner's own integrals, kept to
    check the records against; ``end_s`` is the length of the run.
    """

    world: str
    topology: Topology
    records: list[Record] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    busy_s: dict[str, float] = field(default_factory=dict)
    carried_bytes: tuple[float, ...] = ()
    end_s: float = 0.0
