"""What is run, and what runs it: `Scenario` and `Runner`."""

from dataclasses import dataclass, field, replace
from math import inf
from typing import Final, Literal, Protocol

import numpy as np

from sim.cost import CostModel, Roofline
from sim.errors import ScenarioError
from sim.faults import FaultPlan
from sim.policy import Policy
from sim.trace import Sink, Trace
from topologies.topology import Topology
from workloads.stage import Model, Request
from workloads.workload import Workload

AUTO: Final = "auto"
WarmUp = int | Literal["auto"]


@dataclass(frozen=True)
class Scenario:
    """A world, what is asked of it, and who decides; nothing in it changes during a run.

    Each of ``origins`` sends its own stream of requests. The first ``warm_up`` requests of a
    replication count for no metric; where it is `AUTO`, the results tell how many that should be.
    ``view_age_s`` is how old the policy's view is when it decides. A request that is not answered
    ``patience_s`` after its arrival is given up: it fails. Raises `ScenarioError` for
    impossible values.
    """

    name: str
    topology: Topology
    workload: Workload
    policy: Policy
    policy_name: str
    origins: tuple[str, ...]
    deadline_s: float
    seed: int = 0
    replications: int = 1
    warm_up: WarmUp = 0
    view_age_s: float = 0.0
    cost: CostModel = field(default_factory=Roofline)
    faults: FaultPlan = field(default_factory=FaultPlan)
    patience_s: float = inf

    def __post_init__(self) -> None:
        self._require(
            len(self.origins) > 0, "origins", "name at least one node that captures input"
        )
        self._require(self.deadline_s > 0, "deadline", "give a positive duration, e.g. 320ms")
        self._require(self.seed >= 0, "seed", "give a whole number that is not negative")
        self._require(self.replications >= 1, "replications", "run at least one")
        self._require(self.view_age_s >= 0, "view_age", "give a duration that is not negative")
        self._require(self.patience_s > 0, "patience", "give a positive duration, e.g. 10s")
        self._require(
            self.warm_up == AUTO or 0 <= self.warm_up < self.workload.requests,
            "warm_up",
            f"leave some of the {self.workload.requests} requests to be measured",
        )
        self.faults.check(self.topology)
        for origin in self.origins:
            if not self.topology.node(origin).trusted:
                raise ScenarioError(
                    f"scenario {self.name!r}: origins: node {origin!r} is not trusted; "
                    "the input must come from a trusted node"
                )

    def requests(self, replication: int) -> tuple[Request, ...]:
        """Return the requests of one replication known in advance: the same whatever the policy.

        So policies are compared on common random numbers. Of a closed workload they are not all
        (see `sim.source`).
        """
        requests = self.workload.requests_from(self.origins, self.generator(replication))
        models = self.models(replication)
        if not models:
            return requests
        return tuple(replace(request, model=models[request.index]) for request in requests)

    def models(self, replication: int) -> tuple[Model, ...]:
        """Return the model of each request by its index; none where it is the workload's own."""
        return self.workload.models(self.generator(replication, "models"))

    def generator(self, replication: int, purpose: str = "") -> np.random.Generator:
        """Return the random source of a replication's arrivals, or of another ``purpose``.

        All are spawned from the seed, and none is a child of another (name a purpose in two
        letters or more: one number more is the key of an origin's arrivals).
        """
        key = (replication, *purpose.encode())
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def _require(self, condition: bool, place: str, remedy: str) -> None:  # noqa: FBT001
        if not condition:
            raise ScenarioError(f"scenario {self.name!r}: {place}: {remedy}")


class Runner(Protocol):
    """Executes a scenario; the simulator and the real runner are the two there are."""

    def run(self, scenario: Scenario, replication: int = 0, sink: Sink | None = None) -> Trace:
        """Run one replication to its end and return its trace.

        A ``sink`` is given requests and steps in chunks as requests end, the last of them before
        this returns; the trace returned has none of these then, but the books of the whole run:
        ``busy_s``, ``off_s``, ``carried_bytes``, ``incidents``, ``end_s``. So memory does not grow
        with the run.

        Raises `sim.errors.PolicyError` where the policy cannot serve a request, and
        `sim.errors.PlanError` where its plan does not fit the topology.
        """
        ...
