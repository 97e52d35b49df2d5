"""Transport: what carries bytes between nodes, whatever the links are like.

Most transfers are *fluid*: after the propagation delay they share the network from the first
moment. Where a link of the route says ``tcp`` they run on a connection, whose window matters
(`sim.engine.connections`). Either way capacities are those of payload: a link gives its rate, as
its schedule has it now, times its fault factor, times the part that is not lost, times the part
that is not header where it is ``tcp``.

Where a link of the route asks for ``message_bytes`` or ``coding_bytes``, each transfer is that much
larger. What is told of transfers is of their payload all the same: that part of what has passed.

One connection per pair of nodes is kept for ever after its first use. It is opened by the first
transfer in either direction; each direction has a window of its own, and sends one transfer after
the other.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

from sim.engine.clock import Clock
from sim.engine.congestion import Tcp
from sim.engine.connections import Connection, Sender, Transfer
from sim.engine.flows import Flow
from sim.engine.messages import Handle, Message, Messages
from sim.engine.network import Network
from sim.engine.paths import Path
from topologies.schedules import Schedule
from topologies.topology import Topology

__all__ = ["Handle", "Transport"]

T = TypeVar("T")


class _Playback:
    """A schedule under way on some channels."""

    __slots__ = ("channels", "schedule", "steps")

    def __init__(self, channels: tuple[int, ...], schedule: Schedule) -> None:
        self.channels = channels
        self.schedule = schedule
        self.steps: Iterator[tuple[float, int]] = schedule.steps()


class Transport:
    """Carries bytes over a topology's links, and changes the links as their schedules say.

    Links with a schedule that repeats always have a next change on the clock, so a run needs an
    end of its own.
    """

    def __init__(self, clock: Clock, topology: Topology, tcp: Tcp | None = None) -> None:
        self._clock = clock
        self._topology = topology
        self._tcp = Tcp() if tcp is None else tcp
        channels = topology.channels
        self._factors = [1.0] * len(topology.links)
        self._rates = [channel.rate_bits_per_s for channel in channels]
        self._delays = [channel.delay_s for channel in channels]
        self._parts = [self._payload_part(index // 2) for index in range(len(channels))]
        self._known: tuple[float, ...] | None = None
        self._paths: dict[tuple[str, str], Path] = {}
        self._over: list[list[tuple[str, str]]] = [[] for _ in channels]  # paths that may change
        self._kept: dict[frozenset[str], Connection] = {}
        self._messages = Messages(len(channels), self._left_bytes)
        self.network = self._new_network()
        for number, link in enumerate(topology.links):
            there, back = link.schedule_of(back=False), link.schedule_of(back=True)
            both = (2 * number, 2 * number + 1)
            if there is back:
                self._play(both, there)
            else:
                self._play(both[:1], there)
                self._play(both[1:], back)

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
        if extra_bytes:
            return self._send_message(
                source, target, size_bytes, extra_bytes, done, argument, weight, fresh
            )
        if path.tcp:
            return self._send_tcp(source, target, size_bytes, done, argument, weight, fresh)
        return self.network.start(path.channels, size_bytes, path.delay_s, done, argument, weight)

    def cancel(self, handle: Handle) -> bool:
        """Stop a transfer; ``done`` is not called. Return false if it was over already."""
        self._messages.stop(handle)
        if isinstance(handle, Flow):
            return self.network.cancel(handle)
        if handle.over:
            return False
        handle.sender.cancel(handle)
        return True

    def stall(self, handle: Handle) -> None:
        """Let nothing of a transfer pass, nor of those behind it, until it is released."""
        if isinstance(handle, Flow):
            self.network.set_cap(handle, 0.0)
        elif not handle.over:
            handle.sender.stall()

    def release(self, handle: Handle) -> None:
        """Let a transfer that was stalled go on where it stood."""
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
        if not 0.0 <= factor < float("inf"):
            name = self._topology.links[link_index].name
            raise ValueError(f"link {name}: factor is {factor}, but must be finite and at least 0")
        self._factors[link_index] = factor
        self._apply((2 * link_index, 2 * link_index + 1))

    def sender(self, source: str, target: str) -> Sender | None:
        """Return this direction of the kept connection, `None` while there is none."""
        connection = self._kept.get(frozenset((source, target)))
        return None if connection is None else connection.senders.get(source)

    @property
    def channel_bits_per_s(self) -> tuple[float, ...]:
        """What each channel can carry now; the very same tuple for as long as nothing changes."""
        if self._known is None:
            channels = range(len(self._rates))
            self._known = tuple(8 * self._bytes_per_s(channel) for channel in channels)
        return self._known

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

    def _payload_part(self, link_index: int) -> float:
        link = self._topology.links[link_index]
        return (1.0 - link.loss) * (self._tcp.efficiency if link.transport == "tcp" else 1.0)

    def _bytes_per_s(self, channel: int) -> float:
        return self._rates[channel] / 8 * self._parts[channel] * self._factors[channel // 2]

    def _new_network(self) -> Network:
        """Return the network of all channels, those of a half-duplex link on one medium."""
        capacities: list[float] = []
        media: list[int] = []
        for channel in range(len(self._rates)):
            if channel % 2 == 0 or self._topology.links[channel // 2].duplex == "full":
                capacities.append(self._bytes_per_s(channel))
            media.append(len(capacities) - 1)
        return Network(self._clock, capacities, media)

    def _apply(self, channels: tuple[int, ...]) -> None:
        """Let a change of rates or delays have its effect."""
        self._known = None
        for channel in channels:
            self.network.set_capacity(channel, self._bytes_per_s(channel))
            for ends in self._over[channel]:
                self._refresh(self._paths[ends])

    def _play(self, channels: tuple[int, ...], schedule: Schedule | None) -> None:
        if schedule is not None:
            playback = _Playback(channels, schedule)
            next(playback.steps)
            self._take(playback, 0)
            self._await(playback)

    def _await(self, playback: _Playback) -> None:
        upcoming = next(playback.steps, None)
        if upcoming is not None:
            when_s, index = upcoming
            self._clock.at(when_s, self._step, (playback, index))

    def _step(self, argument: tuple[_Playback, int]) -> None:
        playback, index = argument
        self._take(playback, index)
        self._await(playback)

    def _take(self, playback: _Playback, index: int) -> None:
        """Take a step of a schedule."""
        schedule = playback.schedule
        for channel in playback.channels:
            self._rates[channel] = schedule.rates_bits_per_s[index]
            if schedule.delays_s:
                self._delays[channel] = schedule.delays_s[index]
        self._apply(playback.channels)

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
            peaks = [self._peak_bytes_per_s(channel) for channel in there.channels]
            path.describe(links, peaks, self._tcp)
        return path

    def _refresh(self, path: Path) -> None:
        """Bring a path up to date with its links."""
        path.delay_s = self._sum_s(path.channels)
        if path.tcp:
            path.round_trip_s = path.delay_s + self._sum_s(path.back)
            path.rate = min([self._bytes_per_s(channel) for channel in path.channels])

    def _sum_s(self, channels: tuple[int, ...]) -> float:
        delay_s = 0.0
        for channel in channels:
            delay_s += self._delays[channel]
        return delay_s

    def _peak_bytes_per_s(self, channel: int) -> float:
        """Return what a channel can carry at best, no fault speeding it up."""
        schedule = self._topology.links[channel // 2].schedule_of(back=channel % 2 == 1)
        rate = self._rates[channel] if schedule is None else schedule.peak_bits_per_s
        return rate / 8 * self._parts[channel]

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
        """Send a transfer that its route makes larger."""
        if size_bytes < 0.0:
            raise ValueError(f"size_bytes is {size_bytes}, but must be at least 0")
        path = self._paths[source, target]
        message = Message(size_bytes, extra_bytes, path.channels, done, argument)
        total_bytes = message.total_bytes
        handle: Handle = (
            self._send_tcp(
                source, target, total_bytes, self._messages.deliver, message, weight, fresh
            )
            if path.tcp
            else self.network.start(
                path.channels, total_bytes, path.delay_s, self._messages.deliver, message, weight
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
        sender.submit(transfer, max(now_s, connection.ready_s) + path.delay_s)
        return transfer
