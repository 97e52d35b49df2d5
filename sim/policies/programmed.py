"""The assignment whose last node is done soonest, and how soon any could be: by programme.

What a shard takes on a node is predicted for one window and for two, and taken to be affine in
them. Where it is convex, as by a roofline, the bound holds all the same. The assignment is chosen
as if all uploads over a shared channel ended together, which they nearly do where it is shared
fairly. The bound does without that, and also holds where a shard goes in pieces, of which one can
be computed while the next is on its way.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from sim.errors import PolicyError
from sim.policies.caps import Rules
from sim.policies.makespan import Affine, Barrier, Bounds, Reals, Shared, soonest
from sim.policies.task import Leg, Task, Trip
from workloads.sam.geometry import adjacent
from workloads.stage import Shard

GAP: Final = 0.01
"""An assignment so much longer than what is proven possible is good enough."""

FEW_CASES: Final = 20
"""So many are gone through where something is found in them: the rest improves it by little."""

_NAME = "assignment least-makespan"


def programmed(task: Task) -> tuple[Shard, ...]:
    """Return one shard per node.

    Raises `PolicyError` where no assignment is within the task's limits, or none is found.
    """
    rounds, bounds = _rounds(task, _together), _bounds(task)
    found = soonest(rounds, bounds, gap=GAP, cases=FEW_CASES)
    if not (found.nodes or found.impossible):
        found = soonest(rounds, bounds, gap=GAP)
    if not found.nodes:
        limits = ", ".join(f"{name}={value}" for name, value in task.limits._asdict().items())
        why = "none is" if found.impossible else "none was found"
        raise PolicyError(
            f"{_NAME}: of all ways to give {len(task.windows)} windows to {len(task.nodes)} clouds "
            f"{why} within {limits}; add clouds or loosen the limits"
        )
    shards: list[list[int]] = [[] for _ in task.nodes]
    for window, node in zip(task.windows, found.nodes, strict=True):
        shards[node].append(window.index)
    return tuple(tuple(sorted(shard)) for shard in shards)


def least_s(task: Task) -> float:
    """Return how soon all rounds can be over at best, whatever the assignment within limits.

    Shards may go at once or in lanes, whole or in pieces.
    """
    return soonest(_rounds(task, _earliest), _bounds(task), cases=FEW_CASES).least_s


def _rounds(task: Task, barrier: Callable[[Task, int], Barrier]) -> list[Barrier]:
    alike = Counter(_first_alike(task))
    return [barrier(task, n)._replace(times=times) for n, times in sorted(alike.items())]


def _first_alike(task: Task) -> list[int]:
    """Return for each round the first that costs the same for any window on any node."""
    every = [
        task.rounds_of(node, (window.index,)) for window in task.windows for node in task.nodes
    ]
    rounds = list(zip(*every, strict=True))
    return [rounds.index(each) for each in rounds]


def _together(task: Task, number: int) -> Barrier:
    """Return when a round ends if all uploads over a shared channel end together."""
    after = _affine(task, lambda *each: _after_s(task.rounds_of(*each)[number]))
    own = _affine(task, lambda *each: task.rounds_of(*each)[number].seconds)
    return Barrier(own, tuple(_channels(task, number, after)))


def _earliest(task: Task, number: int) -> Barrier:
    """Return when a round ends at the earliest, whether shards go whole or in pieces.

    A node has to compute all, once something has come and before the last goes back.
    """
    around_s = [
        min(trip.up.seconds + trip.down.seconds for trip in trips)
        for trips in zip(*_alone(task, number), strict=True)
    ]
    computing = _affine(task, lambda *each: task.rounds_of(*each)[number].compute_s)
    own = computing._replace(fixed=computing.fixed + around_s)
    return Barrier(own, tuple(_channels(task, number)))


def _after_s(trip: Trip) -> float:
    """Return what is left of a trip when all of it has been sent."""
    return trip.up.delay_s + trip.compute_s + trip.down.seconds


def _alone(task: Task, number: int) -> list[list[Trip]]:
    """Return the trip of each window by itself, window by window, on each node."""
    return [
        [task.rounds_of(node, (window.index,))[number] for node in task.nodes]
        for window in task.windows
    ]


def _channels(task: Task, number: int, after: Affine | None = None) -> Iterator[Shared]:
    """Yield what occupies each channel, there and back, and what is due before or after that.

    ``after`` is what follows on each node where several upload over one channel.
    """
    alone = _alone(task, number)
    every = [trip for row in alone for trip in row]
    to_do_s = min(trip.compute_s + trip.down.seconds for trip in every)
    done_s = min(trip.up.seconds + trip.compute_s for trip in every)
    yield from _occupied([[trip.up for trip in row] for row in alone], to_do_s, after)
    yield from _occupied([[trip.down for trip in row] for row in alone], done_s)


def _occupied(
    legs: Sequence[Sequence[Leg]], rest_s: float, after: Affine | None = None
) -> Iterator[Shared]:
    users: dict[int, set[int]] = {}
    for row in legs:
        for node, leg in enumerate(row):
            for channel, _ in leg.channels:
                users.setdefault(channel, set()).add(node)
    delay_s = min(leg.delay_s for row in legs for leg in row)
    for channel, nodes in sorted(users.items()):
        each_s = np.array([[_occupied_s(leg, channel) for leg in row] for row in legs])
        yield Shared(each_s, delay_s + rest_s, after if len(nodes) > 1 else None)


def _occupied_s(leg: Leg, channel: int) -> float:
    rate = dict(leg.channels).get(channel)
    return leg.size_bytes * 8 / rate if rate else 0.0


def _affine(task: Task, of: Callable[[str, Shard], float]) -> Affine:
    """Return what is due for a node at all, never less than nothing, and for each window on it."""
    alone = np.array(
        [[of(node, (window.index,)) for node in task.nodes] for window in task.windows]
    )
    fixed = np.zeros(len(task.nodes))
    if len(task.windows) > 1:
        pair = tuple(sorted(window.index for window in task.windows[:2]))
        both = np.array([of(node, pair) for node in task.nodes])
        fixed = np.clip(alone[0] + alone[1] - both, 0.0, alone.min(axis=0))
    return Affine(fixed, alone - fixed)


def _bounds(task: Task) -> Bounds:
    limits, rules = task.limits, Rules(task)
    owners = _owners(task)
    names = sorted({owners(node) for node in (*task.nodes, *task.shown)})
    seen = np.zeros(len(names))
    for node, shown in task.shown.items():
        seen[names.index(owners(node))] += sum(window.fraction for window in shown)
    return Bounds(
        shows=_shows(task, rules),
        groups=tuple(names.index(owners(node)) for node in task.nodes),
        seen=seen,
        cap=limits.cap,
        coalition=limits.coalition,
        together=limits.coalition_cap,
        apart=_touching(task) if limits.apart else (),
        allowed=_allowed(task, rules) if limits.apart else None,
        usd=_affine(task, lambda node, shard: sum(t.usd for t in task.rounds_of(node, shard))),
        most_usd=limits.most_usd,
    )


def _owners(task: Task) -> Callable[[str], str]:
    """Return who a node's secrets are known to: itself, or all of its provider's."""
    if not task.limits.by_provider:
        return lambda node: node
    return lambda node: task.providers.get(node) or node


def _shows(task: Task, rules: Rules) -> Reals:
    return np.array(
        [
            [0.0 if window.index in shown else window.fraction for shown in rules.shown]
            for window in task.windows
        ]
    )


def _touching(task: Task) -> tuple[tuple[int, ...], ...]:
    """Return the places of every two windows that touch."""
    return tuple(
        (first, second)
        for second, two in enumerate(task.windows)
        for first, one in enumerate(task.windows[:second])
        if adjacent(one, two)
    )


def _allowed(task: Task, rules: Rules) -> np.ndarray:
    """Return which windows touch none that a node was shown before, or were shown themselves."""
    return np.array(
        [
            [
                window.index in shown or not rules.touching[window.index] & shown
                for shown in rules.shown
            ]
            for window in task.windows
        ]
    )
