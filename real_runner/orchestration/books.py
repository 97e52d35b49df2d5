"""The runner's own integrals, which the records of a trace are checked against."""

from real_runner.orchestration.flight import Flight
from sim.plan import Compute, Transfer
from sim.trace import HAS_FINISHED, NEVER_BEGUN
from topologies.topology import Topology


class Books:
    """Busy seconds per node, bytes per channel, seconds that nodes were off."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._off_since_s: dict[str, float] = {}
        self._off_s: dict[str, float] = {}
        self.busy_s = {node.name: 0.0 for node in topology.nodes if node.device is not None}
        self.carried_bytes = [0.0] * len(topology.channels)

    def book(self, flight: Flight) -> None:
        """Add what became of a plan."""
        for index, step in enumerate(flight.plan.steps):
            state = flight.states[index]
            if state == NEVER_BEGUN:
                continue
            if isinstance(step, Compute):
                usual_s = flight.end_s[index] - flight.start_s[index]
                self.busy_s[step.node] += flight.used.get(index, usual_s)
            if not isinstance(step, Transfer):
                continue
            usual = step.size_bytes if state == HAS_FINISHED else 0.0
            for channel in self._topology.route(step.source, step.target).channels:
                self.carried_bytes[channel] += flight.used.get(index, usual)

    def switch(self, down: frozenset[str], now_s: float) -> None:
        """Note who is off from now on; everybody else is on."""
        for node in [node for node in self._off_since_s if node not in down]:
            since_s = self._off_since_s.pop(node)
            self._off_s[node] = self._off_s.get(node, 0.0) + now_s - since_s
        for node in sorted(down):
            self._off_since_s.setdefault(node, now_s)

    def off_s(self, now_s: float) -> dict[str, float]:
        """Return for how long nodes have been off so far, those that were."""
        open_s = {node: now_s - since_s for node, since_s in self._off_since_s.items()}
        nodes = dict.fromkeys((*self._off_s, *open_s))
        return {node: self._off_s.get(node, 0.0) + open_s.get(node, 0.0) for node in nodes}
