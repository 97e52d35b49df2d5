"""The books of one run: what its nodes and links did, drew and cost, used or not.

What steps caused is known from their records; what a node draws when idle, or costs because it is
reserved, belongs to no step and appears here only. So the energy of a run, integrated over its
time, is the sum over its records plus what was drawn idle.
"""

import numpy as np
import pandas as pd

from sim.emissions import J_PER_KWH, mean_g_per_kwh
from sim.facts import slot_power_w
from sim.tables import Tables
from sim.trace import Incident, Trace
from topologies.topology import Channel, Node, Topology

NODE_COLUMNS = (
    "node", "replication", "device", "region", "slots", "billing", "busy_s", "idle_s", "off_s",
    "utilisation", "energy_busy_j", "energy_idle_j", "cost_usd", "carbon_g", "world",
)  # fmt: skip
LINK_COLUMNS = (
    "channel", "replication", "source", "target", "bytes", "utilisation", "energy_j", "world",
)  # fmt: skip
INCIDENT_COLUMNS = ("replication", "at_s", "target", "kind", "detail", "world")
TOTALS = (
    "requests", "steps", "simulated_s", "energy_busy_j", "energy_idle_j", "energy_links_j",
    "cost_usd", "carbon_g",
)  # fmt: skip


class Ledger:
    """The books of one replication: add the tables of each chunk, then close with the trace.

    ``replication`` fills the column of that name.
    """

    def __init__(self, topology: Topology, replication: int = 0) -> None:
        self._topology = topology
        self._replication = replication
        self._places = {node.name: place for place, node in enumerate(topology.nodes)}
        self._cost_usd, self._energy_j, self._carbon_g = np.zeros((3, len(topology.nodes)))
        self._links_g = np.zeros(1)
        self._requests = 0
        self._steps = 0

    def add(self, tables: Tables) -> None:
        """Add what the steps of a chunk used.

        One after the other, so that sums are the same to the last bit however chunks are cut.
        """
        charges = tables.charges()
        places = np.array([self._places[node] for node in charges["node"]], dtype=np.int64)
        computed, energy_j, carbon_g = (
            charges[name] for name in ("computed", "energy_j", "carbon_g")
        )
        np.add.at(self._cost_usd, places, charges["cost_usd"])
        np.add.at(self._energy_j, places[computed], energy_j[computed])
        np.add.at(self._carbon_g, places[computed], carbon_g[computed])
        np.add.at(self._links_g, np.zeros((~computed).sum(), dtype=np.int64), carbon_g[~computed])
        self._requests += tables.ended
        self._steps += len(places)

    def nodes(self, trace: Trace) -> pd.DataFrame:
        """Return one row per node with a device or a price, for the trace of the whole run.

        ``busy_s`` and ``idle_s`` are seconds of its slots: they add up to those of the run in
        which it was not ``off_s``. ``energy_busy_j`` is what it drew above idle, ``energy_idle_j``
        what it drew besides for as long as it was on. ``cost_usd`` is what requests were charged,
        or the rent where the node is reserved, pro rata by the second. ``carbon_g`` is for both
        energies, NaN where the topology gives no intensity.
        """
        rows = [
            self._node(node, trace)
            for node in self._topology.nodes
            if node.device or node.egress_usd_per_byte
        ]
        return self._labelled(pd.DataFrame(rows, columns=list(NODE_COLUMNS)), trace)

    def links(self, trace: Trace) -> pd.DataFrame:
        """Return one row per channel, for the trace of the whole run.

        ``bytes`` are those that it carried, of transfers that did not finish too, and
        ``energy_j`` is for these; ``utilisation`` is of its nominal rate.
        """
        pairs = zip(self._topology.channels, trace.carried_bytes, strict=True)
        rows = [self._link(channel, carried, trace.end_s) for channel, carried in pairs]
        return self._labelled(pd.DataFrame(rows, columns=list(LINK_COLUMNS)), trace)

    def incidents(self, trace: Trace) -> pd.DataFrame:
        """Return one row per incident, for the trace of the whole run; see `INCIDENT_COLUMNS`."""
        rows = pd.DataFrame(trace.incidents, columns=list(Incident._fields))
        return self._labelled(rows, trace)[list(INCIDENT_COLUMNS)]

    def totals(self, trace: Trace) -> dict[str, float]:
        """Return the sums over the whole run; see `TOTALS`."""
        nodes, links = self.nodes(trace), self.links(trace)
        carbon_g = float(nodes["carbon_g"].sum(skipna=False) + self._links_g[0])
        sums = (
            self._requests,
            self._steps,
            trace.end_s,
            float(nodes["energy_busy_j"].sum()),
            float(nodes["energy_idle_j"].sum()),
            float(links["energy_j"].sum()),
            float(nodes["cost_usd"].sum()),
            carbon_g,
        )
        return dict(zip(TOTALS, sums, strict=True))

    def _node(self, node: Node, trace: Trace) -> dict[str, object]:
        busy_s = trace.busy_s.get(node.name, 0.0)
        off_s = trace.off_s.get(node.name, 0.0)
        on_s = max(trace.end_s - off_s, 0.0)
        device = node.device
        slots = device.slots if device else 0
        busy_j = slot_power_w(device) * busy_s if device else 0.0
        idle_j = device.idle_w * on_s if device else 0.0
        rent_usd = 0.0
        if device and node.billing == "reserved":
            rent_usd = (device.price_usd_per_h or 0.0) / 3600 * on_s
        return {
            "node": node.name,
            "device": device.name if device else "",
            "region": node.region,
            "slots": slots,
            "billing": node.billing,
            "busy_s": busy_s,
            "idle_s": slots * on_s - busy_s,
            "off_s": off_s,
            "utilisation": busy_s / (slots * on_s) if slots and on_s else 0.0,
            "energy_busy_j": busy_j,
            "energy_idle_j": idle_j,
            "cost_usd": float(self._cost_usd[self._places[node.name]]) + rent_usd,
            "carbon_g": self._emitted_g(node, busy_j, idle_j, trace.end_s),
        }

    def _emitted_g(self, node: Node, busy_j: float, idle_j: float, end_s: float) -> float:
        """Return the emissions of a node: of steps as they ran, of the rest evenly over the run."""
        if not self._topology.carbon:
            return float("nan")
        grid = self._topology.carbon_of(node.name)
        if grid is None:
            return 0.0
        mean = float(mean_g_per_kwh(grid, np.zeros(1), np.array([end_s]))[0])
        place = self._places[node.name]
        rest_j = idle_j + busy_j - float(self._energy_j[place])
        return float(self._carbon_g[place]) + rest_j * mean / J_PER_KWH

    def _link(self, channel: Channel, carried_bytes: float, end_s: float) -> dict[str, object]:
        bits = carried_bytes * 8
        return {
            "channel": channel.name,
            "source": channel.source,
            "target": channel.target,
            "bytes": carried_bytes,
            "utilisation": bits / channel.rate_bits_per_s / end_s if end_s else 0.0,
            "energy_j": bits * channel.energy_j_per_bit,
        }

    def _labelled(self, table: pd.DataFrame, trace: Trace) -> pd.DataFrame:
        table["replication"] = self._replication
        table["world"] = trace.world
        return table
