"""What requests bring along: pictures, prompts, or nothing where no node computes."""

from collections.abc import Iterable
from typing import Any, Protocol

from real_runner.deployment import Deployment
from real_runner.fleet.fleet import Fleet
from real_runner.orchestration.pictures import Pictures
from real_runner.orchestration.prompts import Asking, Prompts, asked_by_seed
from sim.plan import Plan
from sim.policy import Progress
from sim.runner import Scenario
from workloads.catalogue import generates
from workloads.sam.model import Sam
from workloads.stage import Request


class Inputs(Protocol):
    """The inputs of a scenario's requests; none for nodes that do not compute."""

    def hand_out(self, fleet: Fleet, nodes: Iterable[str]) -> None:
        """Have those of ``nodes`` that will need it keep what is large."""
        ...

    def of(
        self, job: int, request: Request, plan: Plan, progress: Progress
    ) -> dict[str, list[Any]]:
        """Return what a request brings along before ``plan`` begins, as messages per node."""
        ...


class Nothing:
    """Implements `Inputs` where nobody looks at any."""

    def hand_out(self, fleet: Fleet, nodes: Iterable[str]) -> None:
        """Do nothing."""

    def of(
        self,
        job: int,  # noqa: ARG002 - all requests are alike
        request: Request,  # noqa: ARG002
        plan: Plan,  # noqa: ARG002
        progress: Progress,  # noqa: ARG002
    ) -> dict[str, list[Any]]:
        """Return nothing."""
        return {}


def inputs_for(
    scenario: Scenario, deployment: Deployment, replication: int, asking: Asking | None = None
) -> Inputs:
    """Return what requests bring along: prompts drawn by seed, unless ``asking`` tells each."""
    real = frozenset(
        node.name
        for node in scenario.topology.nodes
        if deployment.of(node.name).executor == "torch"
    )
    model = scenario.workload.model
    if real and isinstance(model, Sam):
        return Pictures(scenario, real, model)
    if real and generates(model):
        return Prompts(real, asking or asked_by_seed(scenario, replication))
    return Nothing()
