"""Policies that decide alike in both worlds, whatever the worlds turn out to be."""

from dataclasses import dataclass, field, replace

from sim.cost import CostModel
from sim.plan import Plan
from sim.policy import Estimates, Policy, Progress, View
from sim.runner import Scenario
from topologies.topology import Topology
from workloads.stage import Request


@dataclass(frozen=True)
class Believing:
    """``policy``, believing in ``topology`` and ``cost`` rather than in the world it is run in.

    What a policy learns from the world it runs in may change what it does, and then there is
    nothing to compare. So where a scenario is predicted and run for real, its policy believes in
    both worlds what its file says. What it sees of the load, and of who is down, is the world's
    own.
    """

    policy: Policy
    topology: Topology
    cost: CostModel
    _known: dict[frozenset[str], Estimates] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @property
    def reads_load(self) -> bool:
        """Whether the policy looks at the load."""
        return bool(getattr(self.policy, "reads_load", True))

    def plan(self, request: Request, progress: Progress, view: View) -> Plan:
        """Let the policy plan in the world it believes in."""
        down = view.estimates.down
        if down not in self._known:
            rates = tuple(channel.rate_bits_per_s for channel in self.topology.channels)
            self._known[down] = Estimates(self.topology, self.cost, rates, down)
        return self.policy.plan(request, progress, replace(view, estimates=self._known[down]))


def in_world(scenario: Scenario, topology: Topology, cost: CostModel) -> Scenario:
    """Return ``scenario`` moved to another world, its policy still believing in its own."""
    believing = Believing(scenario.policy, scenario.topology, scenario.cost)
    return replace(scenario, topology=topology, cost=cost, policy=believing)


def as_believed(scenario: Scenario) -> Scenario:
    """Return ``scenario`` in its own world, its policy believing that nothing else is so."""
    return in_world(scenario, scenario.topology, scenario.cost)
