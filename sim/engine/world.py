"""The simulated world: a clock, a queue per device, one network, and who looks at them."""

from collections import deque
from typing import Any

from sim.cost import CostModel
from sim.engine.clock import Clock
from sim.engine.network import Network
from sim.engine.queues import DeviceQueue
from sim.policy import Estimates, View
from topologies.topology import Topology


class World:
    """A topology come to life; users' own processes may read and disturb it."""

    def __init__(self, topology: Topology, cost: CostModel) -> None:
        self.topology = topology
        self.cost = cost
        self.clock = Clock()
        self.devices = {
            node.name: DeviceQueue(self.clock, node.device.slots)
            for node in topology.nodes
            if node.device is not None
        }
        rates = tuple(channel.rate_bits_per_s for channel in topology.channels)
        self.network = Network(self.clock, [rate / 8 for rate in rates])
        self.estimates = Estimates(topology, cost, rates)


class Observer:
    """Takes the snapshots that policies decide on, each ``age_s`` old when it is used.

    A snapshot for a known moment is asked for in advance with `look_ahead`. For a moment that
    nobody foresaw, the newest snapshot that is old enough is used.
    """

    def __init__(self, world: World, age_s: float) -> None:
        self._world = world
        self._age_s = age_s
        self._taken: deque[View] = deque()
        if age_s > 0:
            self._take(None)

    def look_ahead(self, when_s: float) -> None:
        """Arrange for a snapshot to be just old enough at ``when_s``."""
        if self._age_s > 0:
            clock = self._world.clock
            clock.at(max(clock.now, when_s - self._age_s), self._take, None)

    def view(self) -> View:
        """Return the world as it was ``age_s`` ago, or as it is where that is 0."""
        now_s = self._world.clock.now
        if self._age_s == 0:
            return self._snapshot()
        taken = self._taken
        while len(taken) > 1 and taken[1].now_s <= now_s - self._age_s:
            taken.popleft()
        seen = taken[0]
        return View(now_s, now_s - seen.now_s, seen.estimates, seen.backlog_s, seen.channel_flows)

    def _take(self, _: Any) -> None:
        self._taken.append(self._snapshot())

    def _snapshot(self) -> View:
        world = self._world
        backlog_s = {name: device.backlog_s for name, device in world.devices.items()}
        return View(
            world.clock.now, 0.0, world.estimates, backlog_s, tuple(world.network.active_flows)
        )
