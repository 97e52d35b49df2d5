"""How much work is under way, node by node and channel by channel."""

from collections.abc import Mapping

from sim.plan import Compute, Step, Transfer
from topologies.topology import Topology


class Loads:
    """What has been begun and not ended: expected seconds per node, transfers per channel."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._backlog_s = {node.name: 0.0 for node in topology.nodes if node.device is not None}
        self._flows = [0] * len(topology.channels)

    def add(self, step: Step, expected_s: float, sign: int = 1) -> None:
        """Count a step that begins; with ``sign`` -1 one that has ended."""
        if isinstance(step, Compute):
            self._backlog_s[step.node] += sign * expected_s
        elif isinstance(step, Transfer):
            for channel in self._topology.route(step.source, step.target).channels:
                self._flows[channel] += sign

    @property
    def backlog_s(self) -> Mapping[str, float]:
        """Seconds of work queued or running on each node with a device."""
        return {name: max(0.0, left_s) for name, left_s in self._backlog_s.items()}

    @property
    def channel_flows(self) -> tuple[int, ...]:
        """Transfers under way on each channel."""
        return tuple(self._flows)
