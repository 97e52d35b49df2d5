"""The simulated world: a clock, a queue per device, one network, and who looks at them."""

from collections import deque
from collections.abc import Callable
from typing import Any, final

from sim.cost import CostModel
from sim.endings import Endings
from sim.engine.caches import Caches
from sim.engine.clock import Clock
from sim.engine.servers.assembly import Generators, Pricer, server_for
from sim.engine.transport import Handle, Transport
from sim.policy import Estimates, View, aged
from sim.unread import UnreadBacklog, UnreadFlows
from topologies.topology import Topology

_NO_BACKLOG, _NO_FLOWS = UnreadBacklog(), UnreadFlows()


class World:
    """A topology come to life; users' own processes may read and disturb it."""

    def __init__(self, topology: Topology, cost: CostModel, generators: Generators) -> None:
        self.topology = topology
        self.cost = cost
        self.clock = Clock()
        self.pricer = Pricer(topology, cost)
        self.caches = Caches(topology)
        self.devices = {
            node.name: server_for(node, node.device, self.clock, generators, self._carrier)
            for node in topology.nodes
            if node.device is not None
        }
        jitters = any(link.jitter_s for link in topology.links)
        rng = generators("jitter") if jitters else None
        self.transport = Transport(self.clock, topology, rng=rng)
        self._estimates = Estimates(topology, cost, self.transport.channel_bits_per_s)
        self._links = {link.name: number for number, link in enumerate(topology.links)}
        self._crashed: set[str] = set()
        self._absent: set[str] = set()
        self._off_since_s: dict[str, float] = {}
        self._off_s: dict[str, float] = {}

    def _carrier(self, target: str, source: str) -> "Supply":
        return Supply(self, source, target)

    @property
    def estimates(self) -> Estimates:
        """What is believed of the world; new ones whenever it changed."""
        if self._estimates.channel_bits_per_s is not self.transport.channel_bits_per_s:
            self._believe()
        return self._estimates

    def fail(self, node: str) -> list[Any]:
        """Let ``node`` crash; return the arguments of the jobs lost with it."""
        self._crashed.add(node)
        self.caches.clear(node)
        self._believe()
        return self.devices[node].fail() if node in self.devices else []

    def recover(self, node: str) -> None:
        """Bring a crashed ``node`` back, empty."""
        if node in self._crashed:
            self._crashed.discard(node)
            if node in self.devices:
                self.devices[node].recover()
            self._believe()

    def hang(self, node: str) -> None:
        """Let ``node`` stand still, which nobody is told; its transfers are the transport's."""
        if node in self.devices:
            self.devices[node].hang()

    def resume(self, node: str) -> None:
        """Let a ``node`` that hangs go on where it stood."""
        if node in self.devices:
            self.devices[node].resume()

    def set_member(self, node: str, *, member: bool) -> None:
        """Let ``node`` join or leave; one that leaves finishes what it has."""
        (self._absent.discard if member else self._absent.add)(node)
        self._believe()

    def set_speed(self, node: str, factor: float) -> None:
        """Let ``node`` compute at ``factor`` times its speed."""
        if node in self.devices:
            self.devices[node].set_speed(factor)

    def set_link_factor(self, link: str, factor: float) -> None:
        """Give both directions of ``link`` so much of their capacity; 0 stalls what is on it."""
        self.transport.set_factor(self._links[link], factor)

    def _believe(self) -> None:
        """Replace the estimates, so that nobody goes by what they rested on."""
        rates = self.transport.channel_bits_per_s
        down = frozenset(self._crashed | self._absent)
        self._estimates = Estimates(self.topology, self.cost, rates, down)
        self._switch(down)

    @property
    def off_s(self) -> dict[str, float]:
        """For how long nodes have been off so far, those that were: crashed, or not a member."""
        now_s = self.clock.now
        open_s = {node: now_s - since_s for node, since_s in self._off_since_s.items()}
        nodes = dict.fromkeys((*self._off_s, *open_s))
        return {node: self._off_s.get(node, 0.0) + open_s.get(node, 0.0) for node in nodes}

    def _switch(self, down: frozenset[str]) -> None:
        """Note who is off from now on, and who is on again."""
        now_s, since_s = self.clock.now, self._off_since_s
        for node in [node for node in since_s if node not in down]:
            self._off_s[node] = self._off_s.get(node, 0.0) + now_s - since_s.pop(node)
        for node in sorted(down):
            since_s.setdefault(node, now_s)


@final
class Supply:
    """Transfers of ``world`` from one node to another; see `sim.engine.servers.fetching`."""

    def __init__(self, world: World, source: str, target: str) -> None:
        self._world = world
        self._source = source
        self._target = target

    def send(self, size_bytes: float, done: Callable[[Any], None], argument: Any) -> Handle:
        """Begin a transfer."""
        return self._world.transport.send(self._source, self._target, size_bytes, done, argument)

    def cancel(self, handle: Handle) -> bool:
        """Stop a transfer."""
        return self._world.transport.cancel(handle)

    def stall(self, handle: Handle) -> None:
        """Let nothing of a transfer pass."""
        self._world.transport.stall(handle)

    def release(self, handle: Handle) -> None:
        """Let a transfer go on."""
        self._world.transport.release(handle)


class Observer:
    """Takes the snapshots that policies decide on, each ``age_s`` old when it is used.

    A snapshot for a known moment is asked for in advance with `look_ahead`. For a moment that
    nobody foresaw, the newest snapshot that is old enough is used. Of the load it takes one only
    where the policy ``reads_load``: that is a look at every device and every flow. A world that
    is ``still``, where nothing but the load ever changes, then needs no snapshots at all, unless
    ``endings`` are kept.
    """

    def __init__(
        self,
        world: World,
        age_s: float,
        endings: Endings,
        *,
        reads_load: bool = True,
        still: bool = False,
    ) -> None:
        self._world = world
        self._age_s = age_s
        self._reads_load = reads_load
        self._timeless = still and not reads_load and not endings.kept
        self._endings = endings
        self._taken: deque[View] = deque()
        if age_s > 0:
            self._take(None)

    def look_ahead(self, when_s: float) -> None:
        """Arrange for a snapshot to be just old enough at ``when_s``."""
        if self._age_s > 0 and not self._timeless:
            clock = self._world.clock
            clock.at(max(clock.now, when_s - self._age_s), self._take, None)

    def view(self) -> View:
        """Return the world as it was ``age_s`` ago, or as it is where that is 0."""
        now_s = self._world.clock.now
        if self._age_s == 0:
            return self._snapshot()
        if self._timeless:
            age_s = min(self._age_s, now_s)
            return View(now_s, age_s, self._world.estimates, _NO_BACKLOG, _NO_FLOWS)
        taken = self._taken
        while len(taken) > 1 and taken[1].now_s <= now_s - self._age_s:
            taken.popleft()
        seen = taken[0]
        estimates = aged(seen.estimates, self._world.estimates)
        age_s = now_s - seen.now_s
        return View(now_s, age_s, estimates, seen.backlog_s, seen.channel_flows, seen.endings)

    def _take(self, _: Any) -> None:
        self._taken.append(self._snapshot())

    def _snapshot(self) -> View:
        world, now_s, endings = self._world, self._world.clock.now, self._endings.last
        if not self._reads_load:
            return View(now_s, 0.0, world.estimates, _NO_BACKLOG, _NO_FLOWS, endings)
        backlog_s = {name: device.backlog_s for name, device in world.devices.items()}
        flows = tuple(world.transport.active_flows)
        return View(now_s, 0.0, world.estimates, backlog_s, flows, endings)
