"""Fault schedules as files: the document, and how it becomes a `sim.faults.FaultPlan`.

The same file disturbs the simulator and the real runner. It may stand in a scenario under
``faults:`` or in a file of its own, whose path stands there instead.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.errors import ScenarioError
from sim.faults import LINK_KINDS, NODE_KINDS, Fault, FaultPlan, Kind, RandomFaults
from topologies.documents import Seconds
from topologies.topology import Topology

_DEFAULTS = FaultPlan()


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    node: str = Field(default="", description="a node's name, or a pattern such as aws-*")
    link: str = Field(default="", description="a link's ends, a->b, or a pattern")
    fault: Kind
    factor: float = Field(default=1.0, gt=0, description="for slow and degrade")

    @model_validator(mode="after")
    def _fits(self) -> "_Document":
        if bool(self.node) == bool(self.link):
            raise ValueError("name either a node or a link")
        kinds = NODE_KINDS if self.node else LINK_KINDS
        if self.fault not in kinds:
            what = "node" if self.node else "link"
            raise ValueError(f"fault {self.fault!r} does not befall a {what}; use one of {kinds}")
        return self

    def targets(self, topology: Topology) -> list[str]:
        """Return the nodes or links that the name or pattern stands for."""
        if self.node:
            return _matching(self.node, [node.name for node in topology.nodes], "node")
        return _matching(self.link, [link.name for link in topology.links], "link")


class ScheduledFault(_Document):
    """A fault at a moment."""

    at: Seconds


class RecurringFault(_Document):
    """A fault that comes and goes; both times are means of exponential ones, per target."""

    mean_up: Seconds
    mean_down: Seconds


class FaultsDocument(BaseModel):
    """Everything that goes wrong, and how it is noticed; see `sim.faults.FaultPlan`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: tuple[ScheduledFault, ...] = ()
    random: tuple[RecurringFault, ...] = ()
    detection: Seconds = _DEFAULTS.detection_s
    timeout: Seconds = _DEFAULTS.timeout_s
    plans: int = Field(default=_DEFAULTS.plans, ge=1)
    silence: Seconds = _DEFAULTS.silence_s

    def build(self, topology: Topology) -> FaultPlan:
        """Return the faults, patterns replaced by the targets they stand for."""
        return FaultPlan(
            tuple(
                Fault(entry.at, target, entry.fault, entry.factor)
                for entry in self.schedule
                for target in entry.targets(topology)
            ),
            tuple(
                RandomFaults(target, entry.fault, entry.mean_up, entry.mean_down, entry.factor)
                for entry in self.random
                for target in entry.targets(topology)
            ),
            self.detection,
            self.timeout,
            self.plans,
            self.silence,
        )


def _matching(pattern: str, names: Iterable[str], what: str) -> list[str]:
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise ScenarioError(f"faults: no {what} is called {pattern!r}")
    return found
