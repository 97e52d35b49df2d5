"""Transport: what carries bytes between nodes, whatever the links are like.

Most transfers are *fluid*: they share the network from the moment on when their first byte is at
the narrowest channel of their route, and arrive when the last has come from there. So those that
leave one access link for places near and far meet on it, and those that come from there may not.
Where a link of the route says ``tcp`` they run on a connection, whose window matters
(`sim.engine.connections`). Either way capacities are those of payload: a link gives its rate, as
its schedule has it now, times its fault factor, times the part that is not lost, times the part
that is not header where it is ``tcp``.

Where a link of the route asks for ``message_bytes`` or ``coding_bytes``, each transfer is that much
larger. What is told of transfers is of their payload all the same: that part of what has passed.

One connection per pair of nodes is kept for ever after its first use. It is opened by the first
transfer in either direction; each direction has a window of its own, and sends one transfer after
the other.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from sim.engine.clock import Clock
from sim.engine.conditions import Conditions
from sim.engine.congestion import Tcp
from sim.engine.connections import Connection, Sender, Transfer
from sim.engine.flows import Flow
from sim.engine.jitter import Jitter
from sim.engine.messages import Handle, Message, Messages
from sim.engine.network import Network
from sim.engine.paths import Path
from topologies.topology import Topology

__all__ = ["Handle", "Transport"]

T = TypeVar("T")


class Transport:
    """Carries bytes over a topology's links, and changes the links as their schedules say.

    ``rng`` draws what the jitter of links does (`sim.engine.jitter`); without one each packet takes
    the mean delay. Where a schedule repeats a run needs an end of its own.
    """

    def __init__(
        self,
        clock: Clock,
        topology: Topology,
        tcp: Tcp | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._clock = clock
        self._topology = topology
        self._tcp = Tcp() if tcp is None else tcp
        channels = topology.channels
        self._conditions = Conditions(clock, topology, self._tcp, self._apply)
        self._jitters = rng is not None and any(link.jitter_s for link in topology.links)
        self._paths: dict[tuple[str, str], Path] = {}
        self._over: list[list[tuple[str, str]]] = [[] for _ in channels]  # paths that may change
        self._kept: dict[frozenset[str], Connection] = {}
        jitter = None if rng is None else Jitter(clock.agenda, self._tcp, rng)
        self._messages = Messages(clock.agenda, len(channels), self._left_bytes, jitter)
        self.network = self._new_network()
        self._conditions.begin()

    def send(  # noqa: PLR0913 - what a transfer is
        self,
        source: str,
        target: str,
        size_bytes: float,
        done: Callable[[T], object],
        argument: T,
        *,
        weight: float = 1.0,
        coded: bool = False,
        fresh: bool = False,
    ) -> Handle:
        """Send bytes between nodes; ``done(argument)`` is called when the last has arrived.

        One that is ``coded`` was written by a codec. A ``fresh`` transfer opens a new connection,
        which is kept instead of the one before; without ``tcp`` there is none. ``done`` is never
        called before ``send`` has returned. To the node itself nothing takes time. Raises what
        `Network.start` does, and ``TopologyError`` for a node that is not there.
        """
        path = self._paths.get((source, target))
        if path is None:
            path = self._new_path(source, target)
        extra_bytes = path.message_bytes + path.coding_bytes if coded else path.message_bytes
        if extra_bytes or path.trail_s or path.jitters_s:
            return self._send_message(
                source, target, size_bytes, extra_bytes, done, argument, weight, fresh
            )
        if path.tcp:
            return self._send_tcp(source, target, size_bytes, done, argument, weight, fresh)
        return self.network.start(path.channels, size_bytes, path.lead_s, done, argument, weight)

    def cancel(self, handle: Handle) -> bool:
        """Stop a transfer; ``done`` is not called. Return false if it was over already."""
        if self._messages.stop(handle):
            return True
        if isinstance(handle, Flow):
            return self.network.cancel(handle)
        if handle.over:
            return False
        handle.sender.cancel(handle)
        return True

    def stall(self, handle: Handle) -> None:
        """Let nothing of a transfer pass, nor of those behind it, until it is released."""
        if self._messages.stall(handle):
            return
        if isinstance(handle, Flow):
            self.network.set_cap(handle, 0.0)
        elif not handle.over:
            handle.sender.stall()

    def release(self, handle: Handle) -> None:
        """Let a transfer that was stalled go on where it stood."""
        if self._messages.release(handle):
            return
        if isinstance(handle, Flow):
            self.network.set_cap(handle, float("inf"))
        else:
            handle.sender.release()

    def left_bytes(self, handle: Handle) -> float:
        """Return what of a transfer has not arrived yet; 0 once it is over, cancelled or not."""
        return self._left_bytes(handle) * self._messages.payload_part(handle)

    def set_factor(self, link_index: int, factor: float) -> None:
        """Give both directions of a link this part of the rate they have otherwise.

        With 0 whatever is on them stalls, and goes on once there is some again. Raises
        ``ValueError`` for a factor that is negative or not finite.
        """
        self._conditions.set_factor(link_index, factor)

    def sender(self, source: str, target: str) -> Sender | None:
        """Return this direction of the kept connection, `None` while there is none."""
        connection = self._kept.get(frozenset((source, target)))
        return None if connection is None else connection.senders.get(source)

    @property
    def channel_bits_per_s(self) -> tuple[float, ...]:
        """What each channel can carry now; the very same tuple for as long as nothing changes."""
        return self._conditions.channel_bits_per_s

    @property
    def active_flows(self) -> list[int]:
        """The number of transfers that share each channel now."""
        return self.network.active_flows

    @property
    def carried_bytes(self) -> list[float]:
        """The payload that each channel has carried so far, that of cancelled transfers too."""
        return self._messages.payload_bytes(self.network.carried_bytes)

    def _left_bytes(self, handle: Handle) -> float:
        if isinstance(handle, Flow):
            return self.network.left_bytes(handle)
        return 0.0 if handle.over else handle.sender.left_bytes(handle)

    def _new_network(self) -> Network:
        """Return the network of all channels, those of a half-duplex link on one medium."""
        capacities: list[float] = []
        media: list[int] = []
        for channel in range(len(self._topology.channels)):
            if channel % 2 == 0 or self._topology.links[channel // 2].duplex == "full":
                capacities.append(self._conditions.bytes_per_s(channel))
            media.append(len(capacities) - 1)
        return Network(self._clock, capacities, media)

    def _apply(self, channels: tuple[int, ...]) -> None:
        """Let a change of rates or delays have its effect."""
        for channel in channels:
            self.network.set_capacity(channel, self._conditions.bytes_per_s(channel))
            for ends in self._over[channel]:
                self._refresh(self._paths[ends])

    def _new_path(self, source: str, target: str) -> Path:
        there = self._topology.route(source, target)
        links = [self._topology.links[channel // 2] for channel in there.channels]
        tcp = any(link.transport == "tcp" for link in links)
        path = self._paths[source, target] = Path(there.channels, there.delay_s, tcp=tcp)
        back = self._topology.route(target, source).channels if tcp else ()
        for channel in dict.fromkeys((*there.channels, *back)):
            self._over[channel].append((source, target))
        if there.channels:
            path.back = back
            self._refresh(path)
        if there.channels:
            directed = list(zip(links, there.channels, strict=True))
            path.message_bytes = max(
                [link.message_bytes_of(back=channel % 2 == 1) for link, channel in directed]
            )
            path.coding_bytes = max(
                [link.coding_bytes_of(back=channel % 2 == 1) for link, channel in directed]
            )
        if tcp:
            peaks = [self._conditions.peak_bytes_per_s(each) for each in there.channels]
            path.describe(links, peaks, self._tcp)
        return path

    def _refresh(self, path: Path) -> None:
        """Bring a path up to date with its links."""
        conditions = self._conditions
        path.delay_s = conditions.delay_s(path.channels)
        if path.tcp:
            path.round_trip_s = path.delay_s + conditions.delay_s(path.back)
            path.rate = min([conditions.bytes_per_s(channel) for channel in path.channels])
        if self._jitters:
            path.jitters_s = conditions.jitters_s(path.channels)
            path.delay_s = max(path.delay_s - sum(path.jitters_s), 0.0)
        before = path.channels[: self._meeting_place(path)]
        path.lead_s = min(conditions.delay_s(before), path.delay_s)
        path.trail_s = path.delay_s - path.lead_s

    def _meeting_place(self, path: Path) -> int:
        """Return which channel of a path is its narrowest, counted from the source.

        Of several the first, but on the way to a trusted node the last: what such a node sends and
        gets shares its own link.
        """
        rates = [self._conditions.bytes_per_s(channel) for channel in path.channels]
        narrowest = min(rates)
        target = self._topology.channels[path.channels[-1]].target
        if self._topology.node(target).trusted:
            return len(rates) - 1 - rates[::-1].index(narrowest)
        return rates.index(narrowest)

    def _send_message(  # noqa: PLR0913, PLR0917 - handed on
        self,
        source: str,
        target: str,
        size_bytes: float,
        extra_bytes: int,
        done: Callable[[T], object],
        argument: T,
        weight: float,
        fresh: bool,  # noqa: FBT001 - handed on
    ) -> Handle:
        """Send a transfer that its route makes larger, or late."""
        if size_bytes < 0.0:
            raise ValueError(f"size_bytes is {size_bytes}, but must be at least 0")
        path = self._paths[source, target]
        first_s = self._clock.now + path.lead_s
        message = Message(size_bytes, extra_bytes, path, first_s, done, argument)
        total_bytes = message.total_bytes
        handle: Handle = (
            self._send_tcp(
                source, target, total_bytes, self._messages.passed, message, weight, fresh
            )
            if path.tcp
            else self.network.start(
                path.channels, total_bytes, path.lead_s, self._messages.passed, message, weight
            )
        )
        self._messages.sent(message, handle)
        return handle

    def _send_tcp(
        self,
        source: str,
        target: str,
        size_bytes: float,
        done: Callable[[T], object],
        argument: T,
        weight: float,
        fresh: bool,  # noqa: FBT001 - handed on
    ) -> Transfer:
        if not (0.0 <= size_bytes < float("inf") and 0.0 < weight < float("inf")):
            raise ValueError(
                f"size_bytes is {size_bytes}, weight {weight}: both must be finite, "
                "the first at least 0, the second above 0"
            )
        path, now_s = self._paths[source, target], self._clock.now
        ends = frozenset((source, target))
        connection = None if fresh else self._kept.get(ends)
        if connection is None:
            round_trips = self._tcp.handshake_round_trips + self._tcp.tls_round_trips
            ready_s = now_s + round_trips * path.round_trip_s
            connection = self._kept[ends] = Connection(ready_s)
        sender = connection.senders.get(source)
        if sender is None:
            sender = Sender(self._clock, self.network, path, self._tcp)
            connection.senders[source] = sender
        transfer = Transfer(sender, size_bytes, done, argument, weight)
        sender.submit(transfer, max(now_s, connection.ready_s) + path.lead_s)
        return transfer
