"""What the network remembers: flows, the bundles they form, and links.

Plain state, with next to no behaviour: `sim.engine.fairness` decides about levels and
`sim.engine.network` about time, and both work on it.
"""

from collections.abc import Callable, Sequence
from heapq import heappop
from typing import Any, Final

SHARING: Final = -1  # a flow's ticket while it shares links
OVER: Final = -2  # and once it is done or cancelled


class Flow:
    """A transfer under way: what `Network.start` returns, for `Network.rate` and ``cancel``.

    ``ticket`` is the clock's while the flow waits out its delay, then tells its state. ``mark``
    is its finish on its bundle's count of work, from when it shares links.
    """

    __slots__ = ("argument", "bundle", "done", "mark", "size_bytes", "ticket", "weight")

    mark: float
    ticket: int

    def __init__(
        self,
        bundle: "Bundle",
        size_bytes: float,
        weight: float,
        done: Callable[[Any], object],
        argument: object,
    ) -> None:
        self.bundle = bundle
        self.size_bytes = size_bytes
        self.weight = weight
        self.done = done
        self.argument = argument


class Share:
    """What the bundles governed by one link weigh on another, or on that link itself."""

    __slots__ = ("bundles", "governor", "link", "weight")

    def __init__(self, link: "Link", governor: "Link") -> None:
        self.link = link
        self.governor = governor
        self.weight = 0.0
        self.bundles: dict[Bundle, None] = {}

    def weigh(self) -> float:
        """Add up the weight afresh, so that it is exactly 0 when no flow is left."""
        self.weight = sum((bundle.weight for bundle in self.bundles), 0.0)
        return self.weight


class Link:
    """A directed link, and the state of the bundles whose bottleneck it is, its own.

    ``weight`` is that of all flows on it, ``own`` the part of its own bundles, ``others`` the
    rest by bottleneck, where it weighs anything; ``known`` are all shares ever met.

    ``level`` is the rate per unit of weight of its own bundles' flows, 0 when there are none, and
    ``work`` the bytes per unit of weight they received up to ``since_s``. ``heap`` holds an entry
    (finish mark in work, sequence, bundle) per own bundle; others are stale: an entry counts only
    while its sequence is the bundle's ``head``. ``ticket`` is the clock's for ``due_s``, when the
    first mark is reached or a little before, -1 when nothing is due.

    ``dirty`` (with ``below``, the one under it on the stack of those), ``loud``, ``promise``,
    ``watched`` (the loud links that its own bundles cross) and ``ceiling`` belong to
    `sim.engine.fairness`.
    """

    __slots__ = (
        "below",
        "capacity",
        "ceiling",
        "dirty",
        "due_s",
        "heap",
        "index",
        "known",
        "level",
        "loud",
        "others",
        "own",
        "promise",
        "since_s",
        "ticket",
        "watched",
        "weight",
        "work",
    )

    def __init__(self, index: int, capacity_bytes_per_s: float) -> None:
        self.index = index
        self.capacity = capacity_bytes_per_s
        self.weight = 0.0
        self.own = Share(self, self)
        self.known: dict[Link, Share] = {self: self.own}
        self.others: dict[Link, Share] = {}
        self.dirty = False
        self.below: Link | None = None
        self.loud = False
        self.promise = 0.0
        self.level = 0.0
        self.work = 0.0
        self.since_s = 0.0
        self.heap: list[tuple[float, int, Bundle]] = []
        self.ceiling = float("inf")
        self.watched: dict[Link, None] = {}
        self.ticket = -1
        self.due_s = float("inf")

    def advance(self, now_s: float) -> None:
        """Bring ``work`` up to ``now_s``."""
        self.work += self.level * (now_s - self.since_s)
        self.since_s = now_s


class Bundle:
    """The flows on one ``route``, ``count`` of them, and the ``ended_bytes`` of those before.

    The route names channels; ``links`` are what they occupy, and ``limit`` beside them, where
    there is one: a link of its own that no other bundle crosses, whose capacity is a cap.

    ``shares`` has one share per link of the route: its bottleneck's, on that link. ``heap`` holds
    (finish mark, sequence, flow), marks counted in work since ``origin`` on the bottleneck's
    count; its first flow is never a cancelled one. ``head`` is the sequence of the bundle's entry
    in the bottleneck's heap.
    """

    __slots__ = (
        "bottleneck",
        "count",
        "ended_bytes",
        "head",
        "heap",
        "limit",
        "origin",
        "route",
        "shares",
        "weight",
    )

    def __init__(
        self, route: tuple[int, ...], links: Sequence[Link], limit: Link | None = None
    ) -> None:
        if limit is not None:
            links = [*links, limit]
        self.route = route
        self.limit = limit
        guess = min(links, key=lambda link: link.capacity / (link.weight + 1.0))
        self.bottleneck = guess
        self.shares = [share_of(link, guess) for link in links]
        self.count = 0
        self.weight = 0.0
        self.ended_bytes = 0.0
        self.heap: list[tuple[float, int, Flow]] = []
        self.head = -1
        self.origin = 0.0
        for share in self.shares:
            share.bundles[self] = None

    def received_bytes(self, flow: Flow, now_s: float) -> float:
        """Return what of a flow that shares its links has arrived by now."""
        bottleneck = self.bottleneck
        work = bottleneck.work + bottleneck.level * (now_s - bottleneck.since_s)
        left = (flow.mark - (work - self.origin)) * flow.weight
        return min(max(flow.size_bytes - left, 0.0), flow.size_bytes)

    def drop_first(self) -> None:
        """Remove the first flow, and the cancelled ones behind it."""
        heap = self.heap
        heappop(heap)
        while heap and heap[0][2].ticket == OVER:
            heappop(heap)


def share_of(link: Link, governor: Link) -> Share:
    """Return what ``governor``'s bundles weigh on ``link``, a share of nothing if there is none."""
    share = link.known.get(governor)
    if share is None:
        share = link.known[governor] = Share(link, governor)
    return share
