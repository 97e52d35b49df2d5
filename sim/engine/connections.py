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
from typing import Any, Final

from sim.engine.clock import Clock
from sim.engine.congestion import Tcp
from sim.engine.flows import Flow
from sim.engine.network import Network
from sim.engine.paths import Path
from sim.engine.window import Window

_NEVER: Final = float("inf")
_NONE: Final = -1  # no ticket
_LEAST_TICK_S: Final = 0.01  # congestion avoidance moves in seconds: no need to look more often


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

    Times are those at which bytes reach the far end.
    """

    __slots__ = (
        "_budget", "_call", "_chunk", "_clock", "_current", "_due_s", "_last_s", "_network",
        "_path", "_round_s", "_stalled_s", "_tcp", "_train_s", "_used", "_waiting", "_window",
    )  # fmt: skip

    def __init__(self, clock: Clock, network: Network, path: Path, tcp: Tcp) -> None:
        self._clock = clock.agenda
        self._network = network
        self._path = path
        self._tcp = tcp
        self._waiting: deque[Transfer] = deque()
        self._current: Transfer | None = None
        self._window = Window(path, tcp)
        self._round_s = self._last_s = -_NEVER
        self._budget = 0.0  # bytes of this round's window that are left
        self._chunk = 0.0  # bytes of the flow under way, not yet counted
        self._used = self._train_s = 0.0  # bytes sent in this round, and how long that took
        self._stalled_s = -1.0  # since when nothing passes, negative while something may
        self._call: Callable[[Transfer], None] | None = None  # what the current one's ticket is for
        self._due_s = 0.0  # and when

    @property
    def window_segments(self) -> float:
        """The congestion window."""
        return self._window.segments

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
        self._call = None
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
            left_bytes += transfer.left_bytes - self._chunk
        return left_bytes

    def stall(self) -> None:
        """Let nothing pass until `release`, which must be called unless nothing is left to send."""
        transfer = self._current
        if self._stalled_s >= 0.0 or transfer is None:
            return
        self._stalled_s = self._clock.now
        if transfer.ticket == _NONE:
            self._call = None
        self._drop_ticket(transfer)
        if transfer.flow is not None:
            self._network.set_cap(transfer.flow, 0.0)

    def release(self) -> None:
        """Go on where it stood, as if the time since `stall` had not been."""
        transfer, stalled_s = self._current, self._stalled_s
        if transfer is None or stalled_s < 0.0:
            return
        self._stalled_s = -1.0
        pause_s = self._clock.now - stalled_s
        self._round_s += pause_s
        self._last_s += pause_s
        self._window.seen_s += pause_s
        if transfer.flow is not None:
            self._network.set_cap(
                transfer.flow, _NEVER if self._budget > 0.0 else self._window.cap_bytes_per_s
            )
        if self._call is not None:
            self._await(self._due_s + pause_s, self._call, transfer)

    def _await(self, when_s: float, call: Callable[[Transfer], None], transfer: Transfer) -> None:
        """Have ``call`` called with the current transfer; later by as long as this is stalled."""
        self._call = call
        self._due_s = when_s
        if self._stalled_s < 0.0:
            transfer.ticket = self._clock.at(when_s, call, transfer)
        else:
            self._due_s -= self._clock.now - self._stalled_s

    def _next(self) -> None:
        if not self._waiting:
            self._current = None
            self._stalled_s = -1.0
            return
        transfer = self._current = self._waiting.popleft()
        start_s = max(self._clock.now, transfer.earliest_s)
        self._await(start_s, self._begin, transfer)

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
                if self._last_s >= 0.0:
                    self._window.restart_after(now_s - self._last_s)
                self._window.burst(transfer.left_bytes)
            self._new_round()
        if self._window.unlimited:
            self._stream(transfer)
        elif self._budget > 0.0:
            self._send_window(transfer)
        elif self._window.in_slow_start:
            self._wait_for_round(transfer)
        else:
            self._stream(transfer)

    def _send_window(self, transfer: Transfer) -> None:
        """Send what this round's window still allows, all at once."""
        self._window.seen_s = self._clock.now
        self._chunk = min(transfer.left_bytes, self._budget)
        transfer.flow = self._network.start(
            self._path.channels, self._chunk, 0.0, self._sent_window, transfer, transfer.weight
        )

    def _sent_window(self, transfer: Transfer) -> None:
        transfer.flow = None
        chunk = self._chunk
        self._window.count(chunk)
        self._used += chunk
        self._budget -= chunk
        self._train_s += self._clock.now - self._window.seen_s
        transfer.left_bytes = transfer.left_bytes - chunk if chunk < transfer.left_bytes else 0.0
        if transfer.left_bytes > 0.0:
            self._wait_for_round(transfer)
        else:
            self._finish(transfer)

    def _wait_for_round(self, transfer: Transfer) -> None:
        """Go on when the first acknowledgement of this round's window is back."""
        next_s = max(self._clock.now, self._round_s + self._path.round_trip_s)
        self._await(next_s, self._go_on, transfer)

    def _go_on(self, transfer: Transfer) -> None:
        transfer.ticket = _NONE
        self._end_round()
        self._new_round()
        if self._window.in_slow_start and not self._window.unlimited:
            self._send_window(transfer)
        else:
            self._stream(transfer)

    def _stream(self, transfer: Transfer) -> None:
        """Send all that is left, no faster than the window allows from now on."""
        self._budget = 0.0
        self._chunk = transfer.left_bytes
        self._window.seen_s = self._clock.now
        transfer.flow = self._network.start(
            self._path.channels, transfer.left_bytes, 0.0, self._streamed, transfer,
            transfer.weight, self._window.cap_bytes_per_s,
        )  # fmt: skip
        if not (self._window.unlimited or self._window.lossy):
            self._look_again(transfer)

    def _look_again(self, transfer: Transfer) -> None:
        when_s = self._clock.now + max(self._path.round_trip_s, _LEAST_TICK_S)
        self._await(when_s, self._look, transfer)

    def _look(self, transfer: Transfer) -> None:
        """Let the window move as congestion avoidance does."""
        transfer.ticket = _NONE
        flow = transfer.flow
        assert flow is not None  # noqa: S101 - for mypy; who looks is streaming
        sent_bytes = self._network.rate(flow) * (self._clock.now - self._window.seen_s)
        self._chunk -= sent_bytes
        self._window.count(sent_bytes)
        self._window.avoid(self._clock.now)
        self._network.set_cap(flow, self._window.cap_bytes_per_s)
        if not self._window.lossy:
            self._look_again(transfer)

    def _streamed(self, transfer: Transfer) -> None:
        transfer.flow = None
        self._drop_ticket(transfer)
        self._window.count(max(self._chunk, 0.0))
        self._window.avoid(self._clock.now)
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

    def _new_round(self) -> None:
        self._round_s = self._clock.now
        self._budget = self._window.segments * self._tcp.segment_bytes
        self._used = self._train_s = 0.0

    def _end_round(self) -> None:
        """Let the window grow by what the round before achieved."""
        self._window.end_round(self._used, self._train_s, self._round_s, self._clock.now)
