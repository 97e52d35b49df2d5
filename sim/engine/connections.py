"""TCP connections: transfers whose window opens round by round, in simulated time.

No packet is simulated. A direction of a connection sends in *rounds* of one round trip: a window
of bytes is one flow on the network, as fast as its links let it, and the next window follows when
the round trip is over or, if that took longer, at once. In slow start a round's window is the one
before it plus what that sent; when the bytes of a round fill half a round trip, slow start ends
(HyStart, RFC 9406's ancestor in Linux: an ACK train as long), or when a queue overflows. What is
left is then one flow with a *cap*, window / round trip, that moves as congestion avoidance does.

A transfer that starts on a connection that had nothing to send begins with a whole window at
once: too large for the queue, it costs CUBIC a part of its window. A pause longer than the
retransmission time-out halves the window once for each time-out (RFC 2861, as Linux does it), down
to the initial one. BBR paces, so that no burst overflows, and keeps its rate over pauses.

Loss is met in the mean: after 1 / p segments the window is the one that such loss allows.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from sim.engine.clock import Clock
from sim.engine.congestion import Tcp, growing_window
from sim.engine.flows import Flow
from sim.engine.network import Network
from sim.engine.paths import Path

_NEVER = float("inf")
_NONE = -1  # no ticket
_LEAST_TICK_S = 0.01  # congestion avoidance moves in seconds: no need to look more often
_LEAST_WINDOW = 2.0  # segments, RFC 9438, section 4.6


class Transfer:
    """Bytes that a connection carries: what `sim.engine.transport.Transport.send` may return."""

    __slots__ = (
        "argument", "done", "earliest_s", "flow", "left_bytes", "over", "sender", "ticket",
        "weight",
    )  # fmt: skip

    def __init__(
        self,
        sender: "Sender",
        size_bytes: float,
        done: Callable[[Any], object],
        argument: object,
        weight: float,
    ) -> None:
        self.sender = sender
        self.left_bytes = size_bytes
        self.done = done
        self.argument = argument
        self.weight = weight
        self.earliest_s = 0.0
        self.over = False
        self.flow: Flow | None = None
        self.ticket = _NONE


class Connection:
    """A connection between two nodes, with a sender each way once there is something to send.

    ``ready_s`` is when its handshakes are over.
    """

    __slots__ = ("ready_s", "senders")

    def __init__(self, ready_s: float) -> None:
        self.ready_s = ready_s
        self.senders: dict[str, Sender] = {}


class Sender:
    """One direction of a connection: its window, and transfers that go one after the other.

    Times are those at which bytes reach the far end. ``window``, ``threshold`` (of slow start),
    ``base`` and ``peak`` (of congestion avoidance, ``age_s`` ago) are in segments.
    """

    __slots__ = (
        "_age_s", "_base", "_budget", "_chunk", "_clock", "_current", "_full", "_last_s",
        "_lossy", "_network", "_path", "_peak", "_round_s", "_seen_s", "_sent", "_tcp",
        "_threshold", "_train_s", "_used", "_waiting", "_window",
    )  # fmt: skip

    def __init__(self, clock: Clock, network: Network, path: Path, tcp: Tcp) -> None:
        self._clock = clock.agenda
        self._network = network
        self._path = path
        self._tcp = tcp
        self._waiting: deque[Transfer] = deque()
        self._current: Transfer | None = None
        self._window = float(tcp.initial_window)
        self._threshold = _NEVER
        self._base = self._peak = self._age_s = 0.0
        self._sent = 0.0  # segments
        self._lossy = False  # the window is the one that random loss allows
        self._full = False  # BBR knows its rate
        self._round_s = self._last_s = -_NEVER
        self._budget = 0.0  # bytes of this round's window that are left
        self._chunk = 0.0  # bytes of the flow under way, not yet counted
        self._used = self._train_s = 0.0  # bytes sent in this round, and how long that took
        self._seen_s = 0.0  # when the chunk under way began, or the window was last looked at

    @property
    def window_segments(self) -> float:
        """The congestion window."""
        return self._window

    def submit(self, transfer: Transfer, earliest_s: float) -> None:
        """Send a transfer after those before it, its first byte there at ``earliest_s`` at best."""
        transfer.earliest_s = earliest_s
        self._waiting.append(transfer)
        if self._current is None:
            self._next()

    def cancel(self, transfer: Transfer) -> None:
        """Stop a transfer that is not over."""
        transfer.over = True
        if transfer is not self._current:
            self._waiting.remove(transfer)
            return
        self._drop_ticket(transfer)
        if transfer.flow is not None:
            self._network.cancel(transfer.flow)
            self._last_s = self._clock.now
            self._budget = 0.0
        self._next()

    def left_bytes(self, transfer: Transfer) -> float:
        """Return what of a transfer that is not over has not arrived yet."""
        flow = transfer.flow
        if flow is None:
            return transfer.left_bytes
        left_bytes = self._network.left_bytes(flow)
        if self._budget > 0.0:  # the flow is a window of it, not all that was left
            left_bytes += transfer.left_bytes - flow.size_bytes
        return left_bytes

    def _next(self) -> None:
        if not self._waiting:
            self._current = None
            return
        transfer = self._current = self._waiting.popleft()
        start_s = max(self._clock.now, transfer.earliest_s)
        transfer.ticket = self._clock.at(start_s, self._begin, transfer)

    def _begin(self, transfer: Transfer) -> None:
        """Start sending, in what is left of the current round or in a new one."""
        transfer.ticket = _NONE
        if transfer.left_bytes <= 0.0:
            self._finish(transfer)
            return
        now_s, path = self._clock.now, self._path
        if now_s >= self._round_s + path.round_trip_s:
            self._end_round()
            if not path.bbr:
                self._restart_after(now_s - self._last_s)
                self._burst(transfer)
            self._new_round()
        if self._unlimited():
            self._stream(transfer)
        elif self._budget > 0.0:
            self._send_window(transfer)
        elif self._in_slow_start():
            self._wait_for_round(transfer)
        else:
            self._stream(transfer)

    def _send_window(self, transfer: Transfer) -> None:
        """Send what this round's window still allows, all at once."""
        self._seen_s = self._clock.now
        self._chunk = min(transfer.left_bytes, self._budget)
        transfer.flow = self._network.start(
            self._path.channels, self._chunk, 0.0, self._sent_window, transfer, transfer.weight
        )

    def _sent_window(self, transfer: Transfer) -> None:
        transfer.flow = None
        chunk = self._chunk
        self._sent += chunk / self._tcp.segment_bytes
        self._used += chunk
        self._budget -= chunk
        self._train_s += self._clock.now - self._seen_s
        transfer.left_bytes = transfer.left_bytes - chunk if chunk < transfer.left_bytes else 0.0
        if transfer.left_bytes > 0.0:
            self._wait_for_round(transfer)
        else:
            self._finish(transfer)

    def _wait_for_round(self, transfer: Transfer) -> None:
        """Go on when the first acknowledgement of this round's window is back."""
        next_s = max(self._clock.now, self._round_s + self._path.round_trip_s)
        transfer.ticket = self._clock.at(next_s, self._go_on, transfer)

    def _go_on(self, transfer: Transfer) -> None:
        transfer.ticket = _NONE
        self._end_round()
        self._new_round()
        if self._in_slow_start() and not self._unlimited():
            self._send_window(transfer)
        else:
            self._stream(transfer)

    def _stream(self, transfer: Transfer) -> None:
        """Send all that is left, no faster than the window allows from now on."""
        self._budget = 0.0
        self._chunk = transfer.left_bytes
        self._seen_s = self._clock.now
        transfer.flow = self._network.start(
            self._path.channels, transfer.left_bytes, 0.0, self._streamed, transfer,
            transfer.weight, self._cap(),
        )  # fmt: skip
        if not (self._unlimited() or self._lossy):
            self._look_again(transfer)

    def _look_again(self, transfer: Transfer) -> None:
        when_s = self._clock.now + max(self._path.round_trip_s, _LEAST_TICK_S)
        transfer.ticket = self._clock.at(when_s, self._look, transfer)

    def _look(self, transfer: Transfer) -> None:
        """Let the window move as congestion avoidance does."""
        flow = transfer.flow
        assert flow is not None  # noqa: S101 - for mypy; who looks is streaming
        sent_bytes = self._network.rate(flow) * (self._clock.now - self._seen_s)
        self._chunk -= sent_bytes
        self._sent += sent_bytes / self._tcp.segment_bytes
        self._avoid()
        self._network.set_cap(flow, self._cap())
        transfer.ticket = _NONE
        if not self._lossy:
            self._look_again(transfer)

    def _streamed(self, transfer: Transfer) -> None:
        transfer.flow = None
        self._drop_ticket(transfer)
        self._sent += max(self._chunk, 0.0) / self._tcp.segment_bytes
        self._avoid()
        self._round_s = self._clock.now
        self._used = self._train_s = 0.0
        self._finish(transfer)

    def _finish(self, transfer: Transfer) -> None:
        transfer.over = True
        self._last_s = self._clock.now
        self._next()
        transfer.done(transfer.argument)

    def _drop_ticket(self, transfer: Transfer) -> None:
        if transfer.ticket != _NONE:
            self._clock.cancel(transfer.ticket)
            transfer.ticket = _NONE

    # What the window does.

    def _unlimited(self) -> bool:
        """Whether no window holds the path back: BBR that knows its rate, or no distance."""
        return (self._full and not self._lossy) or self._path.round_trip_s <= 0.0

    def _in_slow_start(self) -> bool:
        return self._window < self._threshold

    def _cap(self) -> float:
        if self._unlimited():
            return _NEVER
        cap = self._window * self._tcp.segment_bytes / self._path.round_trip_s
        return cap if cap < self._path.peak else _NEVER

    def _new_round(self) -> None:
        self._round_s = self._clock.now
        self._budget = self._window * self._tcp.segment_bytes
        self._used = self._train_s = 0.0

    def _end_round(self) -> None:
        """Let the window grow by what the round before achieved."""
        path, used = self._path, self._used / self._tcp.segment_bytes
        if 2.0 * used < self._window:  # it was not the window that limited
            return
        if self._lost_some():
            self._window = min(self._window + used, path.lossy_window)
        elif self._in_slow_start():
            self._open(used, path.round_trip_s)
            if not path.bbr and self._window > path.room_segments(self._tcp):
                self._reduce()
        else:
            self._seen_s = max(self._round_s, self._clock.now - path.round_trip_s)
            self._avoid()

    def _open(self, used: float, round_trip_s: float) -> None:
        """Grow as slow start does, unless the round filled so much of a round trip as to end it."""
        if self._path.bbr:
            self._window += used
            self._full = self._train_s >= round_trip_s
        elif self._train_s >= round_trip_s / 2.0:
            self._window += used * round_trip_s / 2.0 / self._train_s
            self._avoid_from(self._window, self._window)
        else:
            self._window = min(self._window + used, self._threshold)
            if self._window == self._threshold:
                self._avoid_from(self._window, max(self._peak, self._window))

    def _avoid(self) -> None:
        """Bring congestion avoidance up to now."""
        now_s, path = self._clock.now, self._path
        self._age_s += now_s - self._seen_s
        self._seen_s = now_s
        if path.bbr or path.rate <= 0.0 or path.round_trip_s <= 0.0 or self._lost_some():
            return
        self._window = growing_window(
            self._base, self._peak, self._age_s, path.round_trip_s, self._tcp
        )
        if self._window > path.room_segments(self._tcp):
            self._reduce()

    def _avoid_from(self, base: float, peak: float) -> None:
        self._threshold = self._base = base
        self._peak = peak
        self._age_s = 0.0

    def _reduce(self) -> None:
        """Answer a loss."""
        lost_at = self._window
        self._window = max(lost_at * self._tcp.cubic_beta, _LEAST_WINDOW)
        self._avoid_from(self._window, max(lost_at, self._window))

    def _lost_some(self) -> bool:
        """Have random loss rule the window once some is due; whether it does."""
        path = self._path
        if not self._lossy and self._sent >= path.first_loss:
            self._lossy = path.bbr or path.lossy_window < path.room_segments(self._tcp)
        if self._lossy:
            self._threshold = path.lossy_window
            self._window = min(self._window, self._threshold)
        return self._lossy

    def _restart_after(self, idle_s: float) -> None:
        """Shrink the window after a pause, to be opened again up to three quarters at least."""
        timeout_s = self._tcp.timeout_s(self._path.round_trip_s)
        if self._last_s < 0.0 or idle_s <= timeout_s:
            return
        kept = self._window / 2.0 ** min(int(idle_s / timeout_s), 60)
        self._threshold = max(self._threshold, 0.75 * self._window)
        self._window = min(self._window, max(kept, float(self._tcp.initial_window)))

    def _burst(self, transfer: Transfer) -> None:
        """Lose part of the window where it is more at once than the queue takes."""
        segments = transfer.left_bytes / self._tcp.segment_bytes
        if min(self._window, segments) > self._path.burst_segments(self._tcp):
            self._reduce()
