"""The congestion window of one direction of a connection: what it is, and how it moves."""

from typing import Final, final

from sim.engine.congestion import Tcp, growing_window
from sim.engine.paths import Path

_NEVER: Final = float("inf")
_LEAST_WINDOW: Final = 2.0  # segments, RFC 9438, section 4.6


@final
class Window:
    """The window of a sender on ``path``, ``segments`` wide; it is looked at, and moves then.

    It is ``lossy`` once it is the one that random loss allows. ``seen_s`` is when it was last
    looked at, or when what is sent now began.
    """

    __slots__ = (
        "_age_s", "_base", "_full", "_path", "_peak", "_sent", "_tcp", "_threshold", "lossy",
        "seen_s", "segments",
    )  # fmt: skip

    def __init__(self, path: Path, tcp: Tcp) -> None:
        self._path = path
        self._tcp = tcp
        self.segments = float(tcp.initial_window)
        self.lossy = False
        self.seen_s = 0.0
        self._threshold = _NEVER  # of slow start
        self._base = self._peak = self._age_s = 0.0  # of congestion avoidance, so long ago
        self._sent = 0.0  # segments
        self._full = False  # BBR knows its rate

    @property
    def unlimited(self) -> bool:
        """Whether no window holds the path back: BBR that knows its rate, or no distance."""
        return (self._full and not self.lossy) or self._path.round_trip_s <= 0.0

    @property
    def in_slow_start(self) -> bool:
        """Whether it opens by what a round sent."""
        return self.segments < self._threshold

    @property
    def cap_bytes_per_s(self) -> float:
        """The rate that it allows, infinite where that is no bound."""
        if self.unlimited:
            return _NEVER
        cap = self.segments * self._tcp.segment_bytes / self._path.round_trip_s
        return cap if cap < self._path.peak else _NEVER

    def count(self, sent_bytes: float) -> None:
        """Note what was sent: some of it may have been lost."""
        self._sent += sent_bytes / self._tcp.segment_bytes

    def end_round(self, used_bytes: float, train_s: float, round_s: float, now_s: float) -> None:
        """Grow by what the round since ``round_s`` achieved, whose bytes took ``train_s``."""
        path, used = self._path, used_bytes / self._tcp.segment_bytes
        if 2.0 * used < self.segments:  # it was not the window that limited
            return
        if self._lost_some():
            self.segments = min(self.segments + used, path.lossy_window)
        elif self.in_slow_start:
            self._open(used, train_s)
            if not path.bbr and self.segments > path.room_segments(self._tcp):
                self._reduce()
        else:
            self.seen_s = max(round_s, now_s - path.round_trip_s)
            self.avoid(now_s)

    def avoid(self, now_s: float) -> None:
        """Bring congestion avoidance up to now."""
        path = self._path
        self._age_s += now_s - self.seen_s
        self.seen_s = now_s
        if path.bbr or path.rate <= 0.0 or path.round_trip_s <= 0.0 or self._lost_some():
            return
        self.segments = growing_window(
            self._base, self._peak, self._age_s, path.round_trip_s, self._tcp
        )
        if self.segments > path.room_segments(self._tcp):
            self._reduce()

    def restart_after(self, idle_s: float) -> None:
        """Shrink after a pause, to be opened again up to three quarters at least."""
        timeout_s = self._tcp.timeout_s(self._path.round_trip_s)
        if idle_s <= timeout_s:
            return
        kept = self.segments / 2.0 ** min(int(idle_s / timeout_s), 60)
        self._threshold = max(self._threshold, 0.75 * self.segments)
        self.segments = min(self.segments, max(kept, float(self._tcp.initial_window)))

    def burst(self, size_bytes: float) -> None:
        """Lose a part where so much, or the window, is more at once than the queue takes."""
        segments = size_bytes / self._tcp.segment_bytes
        if min(self.segments, segments) > self._path.burst_segments(self._tcp):
            self._reduce()

    def _open(self, used: float, train_s: float) -> None:
        """Grow as slow start does, unless the round filled so much of a round trip as to end it."""
        round_trip_s = self._path.round_trip_s
        if self._path.bbr:
            self.segments += used
            self._full = train_s >= round_trip_s
        elif train_s >= round_trip_s / 2.0:
            self.segments += used * round_trip_s / 2.0 / train_s
            self._avoid_from(self.segments, self.segments)
        else:
            self.segments = min(self.segments + used, self._threshold)
            if self.segments == self._threshold:
                self._avoid_from(self.segments, max(self._peak, self.segments))

    def _avoid_from(self, base: float, peak: float) -> None:
        self._threshold = self._base = base
        self._peak = peak
        self._age_s = 0.0

    def _reduce(self) -> None:
        """Answer a loss."""
        lost_at = self.segments
        self.segments = max(lost_at * self._tcp.cubic_beta, _LEAST_WINDOW)
        self._avoid_from(self.segments, max(lost_at, self.segments))

    def _lost_some(self) -> bool:
        """Have random loss rule the window once some is due; whether it does."""
        path = self._path
        if not self.lossy and self._sent >= path.first_loss:
            self.lossy = path.bbr or path.lossy_window < path.room_segments(self._tcp)
        if self.lossy:
            self._threshold = path.lossy_window
            self.segments = min(self.segments, self._threshold)
        return self.lossy
