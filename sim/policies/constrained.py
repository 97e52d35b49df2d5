"""The assignment that is done soonest among those that keep what clouds see within bounds.

First the largest window goes to whoever is done with it first and may have it. Where that leads
nowhere, an integer program (solved by HiGHS) finds an assignment within the bounds, or proves that
there is none. Then windows move and change places for as long as the cloud that is done last is
done sooner thereby.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np

from sim.errors import PolicyError
from sim.policies.caps import TOLERANCE, Rules
from sim.policies.packing import fits
from sim.policies.task import Task
from workloads.stage import Shard

Shards = tuple[Shard, ...]

MOST_CASES = 5_000
"""So many cases the integer program may tell apart before it is given up."""

_NAME = "assignment privacy-constrained"


def constrained(task: Task, plain: Shards | None) -> Shards:
    """Return one shard per node; ``plain`` is an assignment without neighbours, if there is one.

    Raises `PolicyError` if no assignment is within the bounds, with what would make one possible.
    """
    rules = Rules(task)
    _require_enough(task)
    found = _longest_first(task, rules)
    if found is None and plain is not None and rules.keep(plain):
        found = plain
    if found is None:
        fractions = [window.fraction for window in task.windows]
        if not (task.shown or fits(fractions, len(task.nodes), task.limits)):
            raise _none_within(task, rules, plain, proven=True)
        found = _any_within(task, rules, plain)
    return _improved(task, rules, found)


def _require_enough(task: Task) -> None:
    """Refuse at once what a sum shows to be impossible."""
    limits, count = task.limits, len(task.nodes)
    if not task.windows or task.shown:
        return
    largest = max(window.fraction for window in task.windows)
    if largest > limits.cap + TOLERANCE:
        raise _error(f"cap={limits.cap:g}: one window shows {_enough(largest)}; give at least that")
    whole = sum(window.fraction for window in task.windows)
    needs = ceil(whole / limits.cap - TOLERANCE)
    if needs > count:
        raise _error(f"cap={limits.cap:g} needs at least {needs} clouds, got {count}; "
                     f"add clouds or raise cap to {_enough(whole / count)} or more")  # fmt: skip
    share = whole * min(1.0, limits.coalition / count)
    if share > limits.coalition_cap + TOLERANCE:
        needs = ceil(whole * limits.coalition / limits.coalition_cap - TOLERANCE)
        raise _error(
            f"coalition_cap={limits.coalition_cap:g} with coalition={limits.coalition} needs at "
            f"least {needs} clouds, got {count}; add clouds or raise coalition_cap to "
            f"{_enough(share)} or more"
        )
    crowd = max(len(clique) for clique in _cliques(task))
    if crowd > count:
        raise _error(
            f"{crowd} windows touch each other, so it needs at least {crowd} clouds, got {count}; "
            "add clouds or choose another assignment"
        )


def _longest_first(task: Task, rules: Rules) -> Shards | None:
    """Give the largest window first to whoever may have it and would be done first, if anyone."""
    shards: list[Shard] = [() for _ in task.nodes]
    seen = [*map(rules.seen, range(len(task.nodes))), *rules.elsewhere]
    for window in sorted(task.windows, key=lambda w: (-w.tokens, w.index)):
        choices = [
            (task.cost_s(node, grown), place, grown)
            for place, node in enumerate(task.nodes)
            if rules.may_add(place, shards[place], window.index, seen[:place] + seen[place + 1 :])
            for grown in [tuple(sorted((*shards[place], window.index)))]
        ]
        if not choices:
            return None
        _, place, grown = min(choices)
        shards[place], seen[place] = grown, rules.seen(place, grown)
    return tuple(shards)


def _improved(task: Task, rules: Rules, shards: Shards) -> Shards:
    """Let the cloud that is done last give a window away or change one, while that helps."""
    while True:
        finish_s = [task.cost_s(*each) for each in zip(task.nodes, shards, strict=True)]
        last = finish_s.index(max(finish_s))
        best, best_s = None, finish_s[last]
        for other, changed in _changes(shards, last):
            pair_s = max(task.cost_s(task.nodes[p], changed[p]) for p in (last, other))
            if pair_s < best_s and rules.keep(changed):
                best, best_s = changed, pair_s
        if best is None:
            return shards
        shards = best


def _changes(shards: Shards, place: int) -> Iterator[tuple[int, Shards]]:
    """Yield what comes of giving one window of a node to another, for nothing or one of its."""
    for other, theirs in enumerate(shards):
        if other == place:
            continue
        for given in shards[place]:
            for got in ((), *((index,) for index in theirs)):
                mine = tuple(sorted({*shards[place], *got} - {given}))
                changed = list(shards)
                changed[place] = mine
                changed[other] = tuple(sorted({*theirs, given} - set(got)))
                yield other, tuple(changed)


def _any_within(task: Task, rules: Rules, plain: Shards | None) -> Shards:
    """Return any assignment within the bounds, or say that there is none.

    Binary x_wn: window w goes to node n. A coalition's bound on its k largest sums l_n becomes
    linear by k·t + Σ u_n ≤ bound with u_n ≥ l_n − t, u_n ≥ 0: least where t is the k-th largest.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 - seldom needed

    rows = _Rows(task, rules)
    result = milp(
        np.zeros(rows.width),
        integrality=rows.integrality,
        bounds=Bounds(np.zeros(rows.width), rows.upper),
        constraints=LinearConstraint(*rows.constraints()),
        options={"node_limit": MOST_CASES},
    )
    if result.x is None:
        raise _none_within(task, rules, plain, proven=result.status == 2)
    return rows.shards(result.x)


class _Rows:
    """The integer program: columns x_wn (window by window), then t, then every u."""

    def __init__(self, task: Task, rules: Rules) -> None:
        self._task, self._rules = task, rules
        self._nodes, self._windows = len(task.nodes), len(task.windows)
        self._binary = self._windows * self._nodes
        others = self._nodes + len(rules.elsewhere)
        self.width = self._binary + 1 + others
        self.integrality = np.zeros(self.width)
        self.integrality[: self._binary] = 1
        allowed = [
            float(rules.may_have(place, window.index))
            for window in task.windows
            for place in range(self._nodes)
        ]
        self.upper = np.array([*allowed, *[1.0] * (1 + others)])

    def constraints(self) -> tuple[Any, Any, Any]:
        """Return the matrix, and the least and the most of each row's product."""
        rows = [*self._each_once(), *self._apart(), *self._caps(), *self._coalition()]
        matrix, least, most = zip(*rows, strict=True)
        return np.array(matrix), np.array(least), np.array(most)

    def shards(self, solution: Any) -> Shards:
        """Return the assignment that a solution stands for."""
        chosen = solution[: self._binary].reshape(self._windows, self._nodes).argmax(axis=1)
        return tuple(
            tuple(sorted(w.index for w, p in zip(self._task.windows, chosen, strict=True)
                         if p == place))
            for place in range(self._nodes)
        )  # fmt: skip

    def _column(self, window: int, place: int) -> int:
        return window * self._nodes + place

    def _each_once(self) -> Iterator[tuple[Any, float, float]]:
        for window in range(self._windows):
            row = np.zeros(self.width)
            row[window * self._nodes : (window + 1) * self._nodes] = 1
            yield row, 1.0, 1.0

    def _apart(self) -> Iterator[tuple[Any, float, float]]:
        """Of windows that all touch each other, one at most goes to a node that saw none yet."""
        for clique in _cliques(self._task):
            for place in range(self._nodes):
                row = np.zeros(self.width)
                for window in clique:
                    if self._task.windows[window].index not in self._rules.shown[place]:
                        row[self._column(window, place)] = 1
                yield row, 0.0, 1.0

    def _seen(self, place: int) -> Any:
        """Return the row of what a node gets to see that it has not seen."""
        row = np.zeros(self.width)
        for number, window in enumerate(self._task.windows):
            if window.index not in self._rules.shown[place]:
                row[self._column(number, place)] = window.fraction
        return row

    def _caps(self) -> Iterator[tuple[Any, float, float]]:
        for place in range(self._nodes):
            yield self._seen(place), 0.0, self._rules.limits.cap - self._rules.seen(place)

    def _in_order(self) -> Iterator[tuple[Any, float, float]]:
        """While nodes differ in nothing, have the first see most, for one case instead of many."""
        seen = [self._seen(place) for place in range(self._nodes)]
        for more, less in pairwise(seen):
            yield more - less, 0.0, np.inf
        yield sum(seen[: self._rules.limits.coalition]), 0.0, self._rules.limits.coalition_cap

    def _coalition(self) -> Iterator[tuple[Any, float, float]]:
        limits, first = self._rules.limits, self._binary + 1
        bound = np.zeros(self.width)
        bound[self._binary], bound[first:] = limits.coalition, 1
        yield bound, 0.0, limits.coalition_cap
        if not self._task.shown:
            yield from self._in_order()
        seen = [(self._seen(place), self._rules.seen(place)) for place in range(self._nodes)]
        seen += [(np.zeros(self.width), fraction) for fraction in self._rules.elsewhere]
        for number, (row, already) in enumerate(seen):
            row[self._binary] -= 1
            row[first + number] -= 1
            yield row, -np.inf, -already


def _cliques(task: Task) -> list[list[int]]:
    """Return the places of windows that lie in one square of two by two, and so all touch."""
    corners = {
        (window.row - down, window.column - right)
        for window in task.windows
        for down in (0, 1)
        for right in (0, 1)
    }
    return [
        [
            number
            for number, window in enumerate(task.windows)
            if 0 <= window.row - top <= 1 and 0 <= window.column - left <= 1
        ]
        for top, left in sorted(corners)
    ]


def _none_within(task: Task, rules: Rules, plain: Shards | None, *, proven: bool) -> PolicyError:
    limits = task.limits
    remedy = "add clouds or raise the caps"
    if plain is not None and not task.shown:
        seen = sorted(rules.seen(place, shard) for place, shard in enumerate(plain))
        together = max(sum(seen[-limits.coalition :]), limits.coalition_cap)
        remedy = (
            f"add clouds, or raise cap to {_enough(max(seen[-1], limits.cap))} and "
            f"coalition_cap to {_enough(together)}, which are enough"
        )
    found = "there is" if proven else f"within {MOST_CASES} cases there was found"
    return _error(
        f"{found} no way to give {len(task.windows)} windows to {len(task.nodes)} clouds, none "
        f"beside another, with cap={limits.cap:g}, coalition={limits.coalition} and "
        f"coalition_cap={limits.coalition_cap:g}; {remedy}"
    )


def _enough(fraction: float) -> str:
    """Return a fraction that is told to be enough, so rounded up."""
    return f"{ceil((fraction - TOLERANCE) * 1e4) / 1e4:.4f}"


def _error(message: str) -> PolicyError:
    return PolicyError(f"{_NAME}: {message}")
