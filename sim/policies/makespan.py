"""Windows on nodes so that the last is done soonest: a mixed-integer programme, solved by HiGHS.

What a node takes for its windows is affine in them: something for being used at all (delays,
launches, weights that are read), something for each window. A round ends when the last node is
done, and not before all that has to pass a channel has passed it. Binary x_wn says that window w
goes to node n, y_n that n is used at all, and T_r is when round r has ended; the least Σ T_r is
sought. What a coalition of groups of nodes sees is bounded as in `sim.policies.constrained`: k·t +
Σ u_g ≤ bound with u_g ≥ seen_g - t, u_g ≥ 0.

With fixed costs this is scheduling on unrelated parallel machines, whose relaxation is the usual
lower bound (Lenstra, Shmoys and Tardos 1990, doi 10.1007/BF01585745).
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Row = tuple[Reals, float, float]
"""Factors of all columns, and the least and the most that their sum may be."""

MOST_CASES: Final = 2_000
"""So many cases are told apart at most: counted, not timed, so that it ends alike everywhere."""
SLACK: Final = 1e-9
"""Sums of fractions may miss a bound that they equal by so much."""


class Affine(NamedTuple):
    """What is due for being used at all, (N,), and for each window on each node, (W, N)."""

    fixed: Reals
    each: Reals


class Shared(NamedTuple):
    """Seconds that each window on each node occupies a channel, (W, N), and what follows.

    ``after_s`` are the seconds at least between the end of the last transfer on it and that of the
    round. ``each_after_s``, if known, is what follows on each node, which all begin when the
    channel is through: as where it is shared fairly, and all transfers end at about the same time.
    """

    each_s: Reals
    after_s: float
    each_after_s: Affine | None = None


class Barrier(NamedTuple):
    """A round: the seconds until each node is done, alone in the world, and shared channels.

    There are so many ``times`` of it, all alike.
    """

    own_s: Affine
    shared: tuple[Shared, ...] = ()
    times: int = 1


class Bounds(NamedTuple):
    """What nodes may see and cost.

    ``shows`` (W, N) is the fraction of the input that each window shows a node, 0 where that has
    seen it before; ``groups`` (N,) number the nodes that put together what they see, and ``seen``
    (groups,) is what each group has seen, those without any of these nodes included. ``cap``
    bounds each group, ``together`` any ``coalition`` of groups. Of windows in one of ``apart`` a
    node gets one at most, and none that is not ``allowed`` (W, N). ``usd`` comes to ``most_usd``
    at most.
    """

    shows: Reals
    groups: tuple[int, ...]
    seen: Reals
    cap: float = 1.0
    coalition: int = 1
    together: float = 1.0
    apart: tuple[tuple[int, ...], ...] = ()
    allowed: npt.NDArray[np.bool_] | None = None
    usd: Affine | None = None
    most_usd: float = inf


class Found(NamedTuple):
    """The node of each window, by its place, and the least Σ T_r that is proven possible.

    There are no ``nodes`` where no assignment was found: ``impossible`` says whether there is none.
    """

    nodes: tuple[int, ...]
    least_s: float
    impossible: bool = False


def soonest(
    rounds: Sequence[Barrier], bounds: Bounds, *, gap: float = 0.0, cases: int = MOST_CASES
) -> Found:
    """Return the assignment with the least Σ T_r, or one that is at most ``gap`` of it longer.

    After so many ``cases`` it is the best that has been found.
    """
    from scipy import optimize  # noqa: PLC0415 - slow to import, and few need it

    programme = _Programme(rounds, bounds)
    least, most, integral = programme.columns()
    rows, low, high = zip(*programme.rows(), strict=True)
    result = optimize.milp(
        programme.objective(),
        integrality=integral,
        bounds=optimize.Bounds(least, most),
        constraints=optimize.LinearConstraint(np.array(rows), np.array(low), np.array(high)),
        options={"node_limit": cases, "mip_rel_gap": gap},
    )
    proven_s = result.get("mip_dual_bound")
    least_s = 0.0 if proven_s is None else float(proven_s)
    if result.x is None:
        return Found((), least_s, impossible=result.status == 2)
    return Found(programme.nodes(result.x), least_s)


class _Programme:
    """Columns: x_wn, window by window, then y_n, T_r, t and u_g."""

    def __init__(self, rounds: Sequence[Barrier], bounds: Bounds) -> None:
        self._rounds, self._bounds = rounds, bounds
        self._windows: int
        self._nodes: int
        self._windows, self._nodes = rounds[0].own_s.each.shape
        self._groups = len(bounds.seen)
        self._used = self._windows * self._nodes
        self._ends = self._used + self._nodes
        self._level = self._ends + len(rounds)
        self._width = self._level + 1 + self._groups

    def objective(self) -> Reals:
        return self._row(
            {self._ends + number: float(each.times) for number, each in enumerate(self._rounds)}
        )

    def columns(self) -> tuple[Reals, Reals, Reals]:
        """Return each column's least and most value, and whether it has to be a whole number."""
        most, integral = np.full(self._width, np.inf), np.zeros(self._width)
        most[: self._ends] = 1
        if self._bounds.allowed is not None:
            most[: self._used] = self._bounds.allowed.reshape(-1)
        integral[: self._used] = 1
        return np.zeros(self._width), most, integral

    def rows(self) -> Iterator[Row]:
        yield from self._each_once()
        yield from self._used_rows()
        for number, each in enumerate(self._rounds):
            yield from self._ended(number, each)
        yield from self._seen()
        yield from self._apart()
        yield from self._paid()

    def nodes(self, solution: Reals) -> tuple[int, ...]:
        chosen = solution[: self._used].reshape(self._windows, self._nodes)
        return tuple(chosen.argmax(axis=1).tolist())

    def _row(self, factors: dict[int, float]) -> Reals:
        row = np.zeros(self._width)
        for column, factor in factors.items():
            row[column] = factor
        return row

    def _sum(self, each: Reals, fixed: Reals | None = None) -> Reals:
        """Return the row of Σ each_wn·x_wn + Σ fixed_n·y_n."""
        row = np.zeros(self._width)
        row[: self._used] = each.reshape(-1)
        if fixed is not None:
            row[self._used : self._ends] = fixed
        return row

    def _column(self, window: int, node: int) -> int:
        return window * self._nodes + node

    def _each_once(self) -> Iterator[Row]:
        for window in range(self._windows):
            columns = (self._column(window, node) for node in range(self._nodes))
            yield self._row(dict.fromkeys(columns, 1.0)), 1.0, 1.0

    def _used_rows(self) -> Iterator[Row]:
        for window in range(self._windows):
            for node in range(self._nodes):
                pair = {self._column(window, node): 1.0, self._used + node: -1.0}
                yield self._row(pair), -np.inf, 0.0

    def _ended(self, number: int, each: Barrier) -> Iterator[Row]:
        """No round ends before its nodes are done, and its channels are through."""
        for row in self._of_each(each.own_s):
            row[self._ends + number] = -1
            yield row, -np.inf, 0.0
        for channel in each.shared:
            row = self._sum(channel.each_s)
            row[self._ends + number] = -1
            yield row, -np.inf, -channel.after_s
            if channel.each_after_s is not None:
                for own in self._of_each(channel.each_after_s):
                    yield row + own, -np.inf, 0.0

    def _of_each(self, seconds: Affine) -> Iterator[Reals]:
        """Yield the row of what each node takes for its windows."""
        for node in range(self._nodes):
            only = np.arange(self._nodes) == node
            yield self._sum(seconds.each * only, seconds.fixed * only)

    def _seen(self) -> Iterator[Row]:
        """Bound what each group sees, and any ``coalition`` of them together."""
        bounds = self._bounds
        if bounds.cap >= 1 and bounds.together >= 1:
            return
        together = self._row({self._level: bounds.coalition})
        together[self._level + 1 :] = 1
        yield together, -np.inf, bounds.together + SLACK
        for group in range(self._groups):
            members, seen = np.array(bounds.groups) == group, float(bounds.seen[group])
            row = self._sum(bounds.shows * members)
            if members.any():
                yield row, -np.inf, max(bounds.cap - seen, 0.0) + SLACK
            above = row.copy()
            above[self._level], above[self._level + 1 + group] = -1, -1
            yield above, -np.inf, -seen

    def _apart(self) -> Iterator[Row]:
        for clique in self._bounds.apart:
            for node in range(self._nodes):
                columns = (self._column(window, node) for window in clique)
                yield self._row(dict.fromkeys(columns, 1.0)), -np.inf, 1.0

    def _paid(self) -> Iterator[Row]:
        usd, most = self._bounds.usd, self._bounds.most_usd
        if usd is not None and most < inf:
            scale = 1 / max(most, float(usd.each.max(initial=0.0)), 1e-12)  # cents would be lost
            yield self._sum(usd.each * scale, usd.fixed * scale), -np.inf, most * scale + SLACK
