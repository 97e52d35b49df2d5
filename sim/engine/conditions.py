"""What channels are like now: their rates and delays, as schedules and faults have them."""

from collections.abc import Callable, Iterator, Sequence

from sim.engine.clock import Clock
from sim.engine.congestion import Tcp
from topologies.schedules import Schedule
from topologies.topology import Topology


class _Playback:
    """A schedule under way on some channels."""

    __slots__ = ("channels", "schedule", "steps")

    def __init__(self, channels: tuple[int, ...], schedule: Schedule) -> None:
        self.channels = channels
        self.schedule = schedule
        self.steps: Iterator[tuple[float, int]] = schedule.steps()


class Conditions:
    """The conditions on all channels of a topology, which are those at time 0 until `begin`.

    ``changed(channels)`` is called after each change. Links with a schedule that repeats always
    have a next change on the clock, so a run needs an end of its own.
    """

    def __init__(
        self,
        clock: Clock,
        topology: Topology,
        tcp: Tcp,
        changed: Callable[[tuple[int, ...]], None],
    ) -> None:
        self._clock = clock
        self._topology = topology
        self._changed = changed
        channels = topology.channels
        self._factors = [1.0] * len(topology.links)
        self._rates = [channel.rate_bits_per_s for channel in channels]
        self._delays = [channel.delay_s for channel in channels]
        self._parts = [_payload_part(topology, index // 2, tcp) for index in range(len(channels))]
        self._known: tuple[float, ...] | None = None

    def begin(self) -> None:
        """Play the schedules of all links from now on."""
        for number, link in enumerate(self._topology.links):
            there, back = link.schedule_of(back=False), link.schedule_of(back=True)
            both = (2 * number, 2 * number + 1)
            if there is back:
                self._play(both, there)
            else:
                self._play(both[:1], there)
                self._play(both[1:], back)

    def set_factor(self, link_index: int, factor: float) -> None:
        """Give a link this part of the rate it has otherwise; see `Transport.set_factor`."""
        if not 0.0 <= factor < float("inf"):
            name = self._topology.links[link_index].name
            raise ValueError(f"link {name}: factor is {factor}, but must be finite and at least 0")
        self._factors[link_index] = factor
        self._apply((2 * link_index, 2 * link_index + 1))

    def bytes_per_s(self, channel: int) -> float:
        """Return what payload a channel can carry now."""
        return self._rates[channel] / 8 * self._parts[channel] * self._factors[channel // 2]

    def peak_bytes_per_s(self, channel: int) -> float:
        """Return what a channel can carry at best, no fault speeding it up."""
        schedule = self._topology.links[channel // 2].schedule_of(back=channel % 2 == 1)
        rate = self._rates[channel] if schedule is None else schedule.peak_bits_per_s
        return rate / 8 * self._parts[channel]

    def delay_s(self, channels: Sequence[int]) -> float:
        """Return the propagation delay of some channels together, the mean where it jitters."""
        delay_s = 0.0
        for channel in channels:
            delay_s += self._delays[channel]
        return delay_s

    def jitters_s(self, channels: Sequence[int]) -> tuple[float, ...]:
        """Return by how much the delay of each channel that jitters differs at most, in order.

        Where a schedule has a delay that is less than the jitter, it is that delay.
        """
        links = self._topology.links
        found = [
            min(links[channel // 2].jitter_s, self._delays[channel])
            for channel in channels
            if links[channel // 2].jitter_s
        ]
        return tuple(found)

    @property
    def channel_bits_per_s(self) -> tuple[float, ...]:
        """What each channel can carry now; the very same tuple for as long as nothing changes."""
        if self._known is None:
            channels = range(len(self._rates))
            self._known = tuple(8 * self.bytes_per_s(channel) for channel in channels)
        return self._known

    def _apply(self, channels: tuple[int, ...]) -> None:
        self._known = None
        self._changed(channels)

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


def _payload_part(topology: Topology, link_index: int, tcp: Tcp) -> float:
    link = topology.links[link_index]
    return (1.0 - link.loss) * (tcp.efficiency if link.transport == "tcp" else 1.0)
