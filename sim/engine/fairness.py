"""Max-min fair levels, kept right while flows come and go.

**Who shares what.** Flows on one route have one *level* (rate per unit of weight) and form a
`Bundle`. Each bundle has a bottleneck: a full link on its route where no flow has a higher level.
All bundles with the same bottleneck have the same level, that of the link; so a level, a clock of
virtual work and a heap of finish marks are kept per link, not per flow or bundle, and a flow that
joins or leaves changes one number. A `Share` is what one bottleneck's bundles weigh on one link.

**What makes the levels right.** An allocation is max-min fair if and only if it is feasible and
each bundle has a bottleneck (Bertsekas and Gallager, *Data Networks*, 2nd ed., section 6.5.2).
Link by link that reads: a link that is a bottleneck gives its own bundles equal levels of what the
others leave, and no other bundle on it has a higher level; a link that is none carries no more
than its capacity. `Allocator.settle` checks every link whose inputs changed, and where a link
finds a higher level than its own, or is overfull, it *captures* the bundles with the highest
levels. It ends when no link objects. Levels then are the ones `sim.engine.sharing` defines; should
captures ever go in circles, that module is asked.

**What need not be checked.** While no level on a link exceeds capacity / weight, the link cannot
be full. A *quiet* link promises a lower bound of that, every bottleneck keeps a ceiling below the
promises of the quiet links its bundles cross, and only a level that passes its ceiling looks at
them again. The other links are *loud*: all whose bundles cross them tell them of each change.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from sim.engine.flows import Bundle, Link, Share, share_of
from sim.engine.sharing import fill

_DUST: Final = 1e-6  # a weight this small beside one just taken off may be rounding
_CLUTTER: Final = 64  # entries of a heap that may be stale before it is worth a look
_SLACK: Final = 1e-12  # relative; a link fuller than its capacity by this is full
_TIE: Final = 1.0 + _SLACK  # levels closer than this are equal
_CAUTION: Final = 0.75  # a quiet link's promise, relative to capacity / weight
_CALM: Final = 0.45  # a loud link falls quiet when all levels are below this, relative likewise


class Allocator:
    """Keeps the levels of all links max-min fair.

    ``hastened`` holds the links whose next finish may come sooner than it was to; who minds
    finishes empties it. ``refills`` counts how often captures were given up.
    """

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links
        self._dirty: Link | None = None  # the top of a stack: lists that come and go cost more
        self._sequence = 0
        self.hastened: dict[Link, None] = {}
        self.refills = 0

    def add(self, bundle: Bundle, weight: float) -> None:
        """Let a flow of ``weight`` join ``bundle``."""
        bundle.count += 1
        bundle.weight += weight
        for share in bundle.shares:
            link = share.link
            link.weight += weight
            if share.weight:
                share.weight += weight
            else:
                share.weight = weight
                self._activate(share)
            if not link.dirty and (link.loud or link.weight * link.promise > link.capacity):
                link.dirty = True
                link.below, self._dirty = self._dirty, link

    def remove(self, bundle: Bundle, weight: float) -> None:
        """Let a flow of ``weight`` leave ``bundle``."""
        bundle.count -= 1
        bundle.weight = bundle.weight - weight if bundle.count else 0.0
        for share in bundle.shares:
            link = share.link
            link.weight -= weight
            if link.own.weight and not link.dirty:
                link.dirty = True
                link.below, self._dirty = self._dirty, link
            left = share.weight = share.weight - weight
            if left < _DUST * weight and not (left and share.weigh()):
                self._deactivate(share)
                if not link.others and not link.own.weight:
                    link.weight = 0.0

    def mark(self, link: Link) -> None:
        """Note that ``link`` has to be looked at."""
        if not link.dirty:  # written out where it is done most, since a call costs as much again
            link.dirty = True
            link.below, self._dirty = self._dirty, link

    def enter_head(self, bundle: Bundle) -> None:
        """Enter the bundle's first flow, if any, in its bottleneck's heap."""
        self._sequence = sequence = bundle.head = self._sequence + 1
        if bundle.heap:
            link = bundle.bottleneck
            heap = link.heap
            heappush(heap, (bundle.heap[0][0] + bundle.origin, sequence, bundle))
            if heap[0][1] == sequence:
                self.hastened[link] = None
            if len(heap) > _CLUTTER + 2 * len(link.own.bundles):
                heap[:] = [entry for entry in heap if entry[1] == entry[2].head]
                heapify(heap)

    def replace_head(self, link: Link, bundle: Bundle) -> None:
        """Put the bundle's first flow, if any, in the place of the first entry of ``link``."""
        self._sequence = sequence = bundle.head = self._sequence + 1
        if bundle.heap:
            heapreplace(link.heap, (bundle.heap[0][0] + bundle.origin, sequence, bundle))
        else:
            heappop(link.heap)

    def settle(self, now_s: float) -> None:
        """Make all levels right, now that all changes up to ``now_s`` are known."""
        patience = 1000 + 10 * len(self._links)
        while self._dirty is not None:
            link = self._dirty
            self._dirty = link.below
            link.dirty = False
            rest, top = link.capacity, 0.0
            for governor, share in link.others.items():
                level = governor.level
                rest -= share.weight * level
                if level > top:  # noqa: PLR1730 (max costs a call)
                    top = level
            own = link.own.weight
            if own:
                level = rest / own
                if top > level * _TIE:
                    level = self._capture(link, rest, now_s)
                if level != link.level:
                    self._set_level(link, level, now_s)
            elif rest < -_SLACK * link.capacity:
                self._set_level(link, self._capture(link, rest, now_s), now_s)
            elif not link.loud or top * link.weight < _CALM * link.capacity:
                self._reconsider(link, top)
            patience -= 1
            if not patience:
                self._refill(now_s)

    def _capture(self, link: Link, rest: float, now_s: float) -> float:
        """Capture the bundles with the highest levels until none is above the link's level.

        ``rest`` is what the others leave. Returns the level.
        """
        weight = link.own.weight
        rivals = link.others.values()
        for share in sorted(rivals, key=lambda share: share.governor.level, reverse=True):
            level = share.governor.level
            if weight and level * weight <= rest * _TIE:
                break
            rest += share.weight * level
            weight += share.weight
            for bundle in list(share.bundles):
                if bundle.count:
                    self._move(bundle, link, now_s)
        left = link.capacity - sum((share.weight * share.governor.level for share in rivals), 0.0)
        return max(left, 0.0) / link.own.weight

    def _move(self, bundle: Bundle, target: Link, now_s: float) -> None:
        """Make ``target`` the bundle's bottleneck; its flows keep the work they have."""
        source = bundle.bottleneck
        source.advance(now_s)
        target.advance(now_s)
        received = source.work - bundle.origin
        bundle.bottleneck = target
        bundle.origin = target.work - received
        for index, old in enumerate(bundle.shares):
            link = old.link
            if link.own.weight and link is not target:
                self.mark(link)
            del old.bundles[bundle]
            left = old.weight = old.weight - bundle.weight
            if left < _DUST * bundle.weight and not (left and old.weigh()):
                self._deactivate(old)
            new = bundle.shares[index] = share_of(link, target)
            new.bundles[bundle] = None
            if new.weight:
                new.weight += bundle.weight
            else:
                new.weight = bundle.weight
                self._activate(new)
        self.enter_head(bundle)

    def _set_level(self, link: Link, level: float, now_s: float) -> None:
        """Give a bottleneck's bundles a level, and tell the links whom that may concern."""
        link.advance(now_s)
        rises = level > link.level
        if rises or not level:
            self.hastened[link] = None
        link.level = level
        for crossed in link.watched:
            if not crossed.dirty and (rises or crossed.own.weight):
                crossed.dirty = True
                crossed.below, self._dirty = self._dirty, crossed
        if level > link.ceiling:
            self._look_around(link)

    def _look_around(self, governor: Link) -> None:
        """Find the quiet links that the governor's level might fill, and a new ceiling."""
        governor.ceiling = float("inf")
        shares = [s for bundle in governor.own.bundles if bundle.count for s in bundle.shares]
        crossed = dict.fromkeys(share.link for share in shares if not share.link.loud)
        for link in crossed:
            self._hear_promise(link, governor)

    def _hear_promise(self, link: Link, governor: Link) -> None:
        """Have ``governor`` respect what a quiet link promises, or make the link loud."""
        link.promise = max(link.promise, _CAUTION * link.capacity / link.weight)
        if link.promise < governor.level:
            self._raise_voice(link)
            self.mark(link)
        elif link.promise < governor.ceiling:
            governor.ceiling = link.promise

    def _activate(self, share: Share) -> None:
        """Take up a share that begins to weigh something."""
        link, governor = share.link, share.governor
        if governor is link:
            if not link.loud:
                self._raise_voice(link)
            return
        link.others[governor] = share
        if link.loud:
            governor.watched[link] = None
        else:
            self._hear_promise(link, governor)

    def _deactivate(self, share: Share) -> None:
        """Drop a share that weighs nothing any more; a governor of nothing starts afresh."""
        link, governor = share.link, share.governor
        if governor is link:
            link.level = link.work = 0.0
            link.ceiling = float("inf")
            link.heap.clear()
            self.hastened[link] = None
            return
        del link.others[governor]
        if link.loud:
            del governor.watched[link]

    def _raise_voice(self, link: Link) -> None:
        """Make ``link`` loud: every governor of a share tells it of each change."""
        link.loud = True
        link.promise = 0.0
        for governor in link.others:
            governor.watched[link] = None

    def _reconsider(self, link: Link, top: float) -> None:
        """Renew the promise of a link that is no bottleneck, or make it loud.

        ``top`` is the highest level on it.
        """
        if not link.weight:
            return
        promise = _CAUTION * link.capacity / link.weight
        if top > promise:
            self._raise_voice(link)
            return
        for governor in link.others:
            if link.loud:
                del governor.watched[link]
            governor.ceiling = min(governor.ceiling, promise)
        link.loud = False
        link.promise = promise

    def _refill(self, now_s: float) -> None:
        """Compute all levels from scratch, by the specification."""
        self.refills += 1
        self._forget()
        bundles = [b for link in self._links for b in link.own.bundles if b.count]
        routes = [[share.link.index for share in bundle.shares] for bundle in bundles]
        weights = [bundle.weight for bundle in bundles]
        capacities = [link.capacity for link in self._links]
        levels, full = fill(routes, weights, capacities)
        for bundle, index in zip(bundles, full, strict=True):
            if bundle.bottleneck is not self._links[index]:
                self._move(bundle, self._links[index], now_s)
        for bundle, level in zip(bundles, levels, strict=True):
            self._set_level(bundle.bottleneck, level, now_s)
        self._forget()

    def _forget(self) -> None:
        """Look at no link that was marked."""
        while self._dirty is not None:
            self._dirty.dirty = False
            self._dirty = self._dirty.below
