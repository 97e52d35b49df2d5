"""Paths: what a transfer from one node to another meets on its way, as it is now."""

from collections.abc import Sequence
from typing import Final

from sim.engine.congestion import Tcp, cubic_window, reno_window
from topologies.topology import Link

_NEVER: Final = float("inf")
_LEAST_QUEUE_BYTES: Final = 65536  # as much as Linux hands to a device at once, segments joined


class Path:
    """The channels from one node to another and ``back``, and what they are like together.

    ``delay_s`` (one way, the least where links jitter), ``round_trip_s`` (the mean) and ``rate``
    (payload bytes per second at the bottleneck, 0 in an outage) are as the links are now. Of the
    delay ``lead_s`` passes before the bottleneck, where transfers meet, and ``trail_s`` after it.
    ``jitters_s`` is by how much the delays of those that jitter differ at most, ``latest_s`` when
    the last transfer to have passed them arrives.
    ``peak`` is the most that the rate can be. ``queue_bytes`` is that of the bottleneck, `None` for
    one bandwidth-delay product, 64 KiB at least.

    ``message_bytes`` is what each message costs beyond its own bytes, ``coding_bytes`` what one
    costs more that a codec writes: of each the most that a link asks.

    ``bbr`` is the congestion class, CUBIC where any link asks for it. ``first_loss`` is after how
    many segments the first is lost, and ``lossy_window`` the window that loss allows in the mean;
    both are infinite where nothing is lost or nobody cares.
    """

    __slots__ = (
        "back", "bbr", "channels", "coding_bytes", "delay_s", "first_loss", "jitters_s",
        "latest_s", "lead_s", "lossy_window", "message_bytes", "peak", "queue_bytes", "rate",
        "round_trip_s", "tcp", "trail_s",
    )  # fmt: skip

    def __init__(self, channels: tuple[int, ...], delay_s: float, *, tcp: bool) -> None:
        self.channels = channels
        self.back: tuple[int, ...] = ()
        self.delay_s = self.lead_s = delay_s
        self.trail_s = 0.0
        self.tcp = tcp
        self.jitters_s: tuple[float, ...] = ()
        self.latest_s = 0.0
        self.message_bytes = 0
        self.coding_bytes = 0
        self.bbr = False
        self.round_trip_s = 0.0
        self.rate = 0.0
        self.peak = _NEVER
        self.queue_bytes: int | None = None
        self.first_loss = _NEVER
        self.lossy_window = _NEVER

    def describe(self, links: Sequence[Link], peaks: Sequence[float], tcp: Tcp) -> None:
        """Take over what does not change: ``links`` in order, with their ``peaks``."""
        self.bbr = all(link.congestion == "bbr" for link in links if link.transport == "tcp")
        self.peak = min(peaks)
        self.queue_bytes = links[peaks.index(self.peak)].queue_bytes
        arrives = 1.0
        for link in links:
            arrives *= 1.0 - link.loss
        loss = 1.0 - arrives
        if not loss or (self.bbr and loss <= tcp.bbr_loss):
            return
        round_trip_s = self.round_trip_s or 1e-6
        self.first_loss = 1.0 / loss
        if self.bbr:
            self.lossy_window = reno_window(loss, round_trip_s, tcp.timeout_s(round_trip_s))
        else:
            self.lossy_window = cubic_window(loss, round_trip_s, tcp)

    def room_segments(self, tcp: Tcp) -> float:
        """Return the largest window that overflows no queue: on the way, and waiting."""
        on_the_way = self.rate * self.round_trip_s / tcp.segment_bytes
        return on_the_way + self.burst_segments(tcp)

    def burst_segments(self, tcp: Tcp) -> float:
        """Return how many segments may meet the bottleneck's queue at once."""
        if self.queue_bytes is not None:
            return self.queue_bytes / tcp.frame_bytes
        product = self.rate * self.round_trip_s / tcp.segment_bytes
        return max(product, _LEAST_QUEUE_BYTES / tcp.frame_bytes)
