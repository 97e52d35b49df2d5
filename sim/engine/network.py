"""The network: flows that share directed links max-min fairly, in simulated time.

A flow first waits out its propagation delay, occupying nothing, then shares the links of its
route until its bytes have passed. `sim.engine.fairness` knows how fast; this module knows when.

A flow may have a *cap*, which may change: a link of its own on top of its route. Channels that
share one capacity (both directions of a half-duplex link) occupy one *medium*.

Time is *virtual work* here. A link that is a bottleneck counts the bytes that one unit of weight
has received from it; a flow that joins when the count is ``w`` ends when it reaches
``w + size / weight``, whatever happens to the level in between. So a change of level moves no
flow's mark: it moves the time at which the first mark is reached, and that is the only time the
clock has to know. It may ring too early (the level fell since): then the link sets it anew.
"""

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, TypeVar

from sim.engine.bundles import Bundles
from sim.engine.clock import Clock
from sim.engine.fairness import Allocator
from sim.engine.flows import OVER, SHARING, Bundle, Flow, Link

__all__ = ["Flow", "Network"]

T = TypeVar("T")

_NEVER: Final = float("inf")
_CLUTTER: Final = 64  # cancelled flows that a bundle may keep before it is worth a look
_ROUNDING: Final = 1e-15  # relative; marks this close are reached together


class Network:
    """Directed channels, by index, and the flows on them.

    Channel ``c`` occupies the link ``media[c]`` of those whose capacities are given; without
    ``media`` each has a link of its own.

    >>> clock = Clock()
    >>> network = Network(clock, [10.0, 10.0])
    >>> def done(name):
    ...     print(name, clock.now)
    >>> _ = network.start((0, 1), 100.0, 0.0, done, "long")
    >>> _ = network.start((1,), 100.0, 1.0, done, "late")
    >>> clock.run()
    long 19.0
    late 20.0
    """

    def __init__(
        self,
        clock: Clock,
        capacities_bytes_per_s: Sequence[float],
        media: Sequence[int] | None = None,
    ) -> None:
        self._clock = clock.agenda
        self._links = [
            Link(index, _checked_capacity(index, capacity))
            for index, capacity in enumerate(capacities_bytes_per_s)
        ]
        indices = range(len(self._links)) if media is None else media
        self._channels = [self._links[index] for index in indices]
        self._allocator = Allocator(self._links)
        self._bundles = Bundles(self._links, self._channels)
        self._by_route = self._bundles.by_route
        self._nowhere = Bundle((), [Link(-1, 0.0)])  # of flows that need no link
        self._active: dict[Bundle, None] = {}
        self._unsettled = False
        self._sequence = count()
        # Kept, since making a bound method costs as much as a call.
        self._on_join, self._on_ring, self._on_settle = self._join, self._ring, self._settle

    def start(
        self,
        route: tuple[int, ...],
        size_bytes: float,
        delay_s: float,
        done: Callable[[T], object],
        argument: T,
        weight: float = 1.0,
        cap_bytes_per_s: float = _NEVER,
    ) -> Flow:
        """Send ``size_bytes`` along ``route``; ``done(argument)`` is called when the last arrived.

        The flow waits ``delay_s`` (one-way propagation, all links together), then shares each
        channel in proportion to its ``weight``, but gets no more than its cap. With no bytes or an
        empty route the delay is all it takes. ``done`` is never called before ``start`` has
        returned. Raises ``ValueError`` for a negative or infinite size or delay, a weight that is
        not positive, a negative cap, a channel that does not exist, a medium that occurs twice.
        """
        if not (0.0 <= size_bytes < _NEVER and 0.0 <= delay_s < _NEVER and 0.0 < weight < _NEVER):
            raise ValueError(
                f"size_bytes is {size_bytes}, delay_s {delay_s}, weight {weight}: "
                "all must be finite, the first two at least 0, the weight above 0"
            )
        if route and size_bytes:
            if cap_bytes_per_s == _NEVER:
                bundle = self._by_route.get(route) or self._bundles.new(route)
            else:
                bundle = self._bundles.capped(route, _checked_cap(cap_bytes_per_s))
            flow = Flow(bundle, size_bytes, weight, done, argument)
            if delay_s:
                flow.ticket = self._clock.at(self._clock.now + delay_s, self._on_join, flow)
            else:
                self._join(flow)
        else:
            flow = Flow(self._nowhere, size_bytes, weight, done, argument)
            flow.ticket = self._clock.at(self._clock.now + delay_s, self._arrive, flow)
        return flow

    def cancel(self, flow: Flow) -> bool:
        """Stop ``flow``; ``done`` is not called. Return false if it was over already."""
        if flow.ticket == OVER:
            return False
        if flow.ticket == SHARING:
            self._leave(flow, flow.bundle)
        else:
            self._clock.cancel(flow.ticket)
            flow.ticket = OVER
            self._bundles.put_away(flow.bundle)
        return True

    def set_cap(self, flow: Flow, bytes_per_s: float) -> None:
        """Change a flow's cap from this instant on: 0 stops it, infinity frees it.

        It changes nothing for a flow that needs no link or is over. Raises ``ValueError`` for a
        cap that is negative or not a number.
        """
        cap, bundle = _checked_cap(bytes_per_s), flow.bundle
        limit = bundle.limit
        if flow.ticket == OVER or bundle is self._nowhere:
            return
        if limit is None or cap == _NEVER:
            if limit is not None or cap < _NEVER:
                self._change_bundle(flow, cap)
        elif cap != limit.capacity:
            limit.capacity = cap
            self._allocator.mark(limit)
            self._settle_soon()

    def set_capacity(self, channel: int, bytes_per_s: float) -> None:
        """Change the capacity of a channel's medium from this instant on; 0 stops its flows."""
        link = self._channels[channel]
        link.capacity = _checked_capacity(channel, bytes_per_s)
        self._allocator.mark(link)
        self._settle_soon()

    def rate(self, flow: Flow) -> float:
        """Return the flow's rate in bytes per second, 0 while it waits or once it is over."""
        if flow.ticket != SHARING:
            return 0.0
        self._settle(self._clock.now)
        return flow.bundle.bottleneck.level * flow.weight

    @property
    def active_flows(self) -> list[int]:
        """The number of flows that share each channel now."""
        counts = [0] * len(self._channels)
        for bundle in self._active:
            for channel in bundle.route:
                counts[channel] += bundle.count
        return counts

    @property
    def carried_bytes(self) -> list[float]:
        """The bytes that each channel has carried so far, cancelled flows' included."""
        carried = [0.0] * len(self._channels)
        for route, bundle in self._by_route.items():
            for channel in route:
                carried[channel] += bundle.ended_bytes
        for bundle in self._active:
            received = 0.0
            for _, _, flow in bundle.heap:
                if flow.ticket == SHARING:
                    received += bundle.received_bytes(flow, self._clock.now)
            for channel in bundle.route:
                carried[channel] += received
        return carried

    def left_bytes(self, flow: Flow) -> float:
        """Return what of the flow has not arrived yet; 0 once it is over, cancelled or not."""
        if flow.ticket == SHARING:
            return flow.size_bytes - flow.bundle.received_bytes(flow, self._clock.now)
        return 0.0 if flow.ticket == OVER else flow.size_bytes

    def _change_bundle(self, flow: Flow, cap: float) -> None:
        """Take a flow with what is left of it to a bundle with this cap, or to the uncapped one."""
        old, route, ticket = flow.bundle, flow.bundle.route, flow.ticket
        if ticket == SHARING:
            old.bottleneck.advance(self._clock.now)
            left_bytes = flow.size_bytes - old.received_bytes(flow, self._clock.now)
            self._leave(flow, old)
            old.heap[:] = [entry for entry in old.heap if entry[2] is not flow]
            heapify(old.heap)
            flow.size_bytes = left_bytes
        else:
            self._bundles.put_away(old)
        flow.bundle = self._by_route[route] if cap == _NEVER else self._bundles.capped(route, cap)
        if ticket == SHARING:
            self._join(flow)

    def _join(self, flow: Flow) -> None:
        """Let a flow whose delay is over share its route from now on."""
        flow.ticket = SHARING
        bundle = flow.bundle
        link, now_s = bundle.bottleneck, self._clock.now
        link.work += link.level * (now_s - link.since_s)
        link.since_s = now_s
        if not bundle.count:
            bundle.origin = link.work
            self._active[bundle] = None
        mark = flow.mark = link.work - bundle.origin + flow.size_bytes / flow.weight
        heap = bundle.heap
        heappush(heap, (mark, next(self._sequence), flow))
        self._allocator.add(bundle, flow.weight)
        if heap[0][2] is flow:
            self._allocator.enter_head(bundle)
        if not self._unsettled:
            self._settle_soon()

    def _leave(self, flow: Flow, bundle: Bundle) -> None:
        """Take a cancelled flow out of its bundle."""
        bundle.bottleneck.advance(self._clock.now)
        bundle.ended_bytes += bundle.received_bytes(flow, self._clock.now)
        flow.ticket = OVER
        heap = bundle.heap
        if heap[0][2] is flow:
            bundle.drop_first()
            self._allocator.enter_head(bundle)
        elif len(heap) > _CLUTTER + 2 * bundle.count:
            heap[:] = [entry for entry in heap if entry[2].ticket == SHARING]
            heapify(heap)
        self._allocator.remove(bundle, flow.weight)
        if not bundle.count:
            del self._active[bundle]
            self._bundles.put_away(bundle)
        self._settle_soon()

    def _arrive(self, flow: Flow) -> None:
        flow.ticket = OVER
        flow.done(flow.argument)

    def _settle_soon(self) -> None:
        if not self._unsettled:
            self._unsettled = True
            self._clock.soon(self._on_settle, self._clock.now)

    def _settle(self, now_s: float) -> None:
        """Make levels right after all changes of this instant, and the clock ring in time."""
        if not self._unsettled:
            return
        self._unsettled = False
        self._allocator.settle(now_s)
        hastened = self._allocator.hastened
        for link in hastened:
            self._set_alarm(link, now_s)
        hastened.clear()

    def _set_alarm(self, link: Link, now_s: float) -> None:
        """Have `_ring` called no later than the first finish on ``link``."""
        heap = link.heap
        while heap and heap[0][2].head != heap[0][1]:
            heappop(heap)
        due_s = _NEVER
        if heap and link.level > 0.0:
            work = link.work + link.level * (now_s - link.since_s)
            due_s = now_s + max(heap[0][0] - work, 0.0) / link.level
        if link.ticket >= 0:
            if link.due_s <= due_s < _NEVER:
                return
            self._clock.cancel(link.ticket)
            link.ticket = -1
        if due_s < _NEVER:
            link.due_s = due_s
            link.ticket = self._clock.at(due_s, self._on_ring, link)

    def _ring(self, link: Link) -> None:
        """Finish the flows of ``link`` whose marks are reached."""
        link.ticket = -1
        now_s = self._clock.now
        work = link.work = link.work + link.level * (now_s - link.since_s)
        link.since_s = now_s
        reached = work + _ROUNDING * (work + link.level * now_s)
        heap = link.heap
        ended = []
        while heap and heap[0][0] <= reached:
            _, sequence, bundle = heap[0]
            if sequence == bundle.head:
                flow = bundle.heap[0][2]
                ended.append(flow)
                flow.ticket = OVER
                bundle.ended_bytes += flow.size_bytes
                bundle.drop_first()
                self._allocator.replace_head(link, bundle)
                self._allocator.remove(bundle, flow.weight)
                if not bundle.count:
                    del self._active[bundle]
                    if bundle.limit is not None:
                        self._bundles.put_away(bundle)
            else:
                heappop(heap)
        if not ended:
            self._set_alarm(link, now_s)
            return
        self._allocator.hastened[link] = None
        self._unsettled = True
        try:
            for flow in ended:
                flow.done(flow.argument)
        finally:
            self._settle(now_s)


def _checked_cap(bytes_per_s: float) -> float:
    if not bytes_per_s >= 0.0:
        raise ValueError(f"cap_bytes_per_s is {bytes_per_s}, but must be at least 0")
    return float(bytes_per_s)


def _checked_capacity(channel: int, bytes_per_s: float) -> float:
    if not 0.0 <= bytes_per_s < _NEVER:
        raise ValueError(
            f"channel {channel}: capacity is {bytes_per_s} bytes/s, but must be finite and >= 0"
        )
    return float(bytes_per_s)
