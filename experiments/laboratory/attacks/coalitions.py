"""Which clouds put together what they hold (A7): all coalitions, or the best and some by chance."""

from collections.abc import Mapping
from itertools import combinations
from math import comb

import numpy as np

from experiments.laboratory.attacks.pictures import Seen

Coalition = tuple[str, ...]
"""Names of nodes, in the order in which they were given."""


def coalitions(
    nodes: Mapping[str, Seen], k: int, rng: np.random.Generator, most: int
) -> tuple[Coalition, ...]:
    """Return coalitions of k of the nodes: all of them where that is at most ``most``.

    Else ``most`` of them: the greedy one first, which takes on whoever adds most pixels, then
    different ones by chance. ``nodes`` says what each was shown. Raises `ValueError` for a k that
    they do not have, or none to return.
    """
    if not 1 <= k <= len(nodes):
        raise ValueError(f"k: {k} nodes of {len(nodes)} make no coalition; give 1 to {len(nodes)}")
    if most < 1:
        raise ValueError(f"most: {most} coalitions are none; give 1 or more")
    names = tuple(nodes)
    if comb(len(names), k) <= most:
        return tuple(combinations(names, k))
    found = {greedy(nodes, k): None}
    while len(found) < most:
        chosen = np.sort(rng.choice(len(names), k, replace=False))
        found[tuple(names[place] for place in chosen)] = None
    return tuple(found)


def greedy(nodes: Mapping[str, Seen], k: int) -> Coalition:
    """Return k nodes, each of which adds the most pixels to those before it, the first if equal."""
    chosen: list[str] = []
    covered = np.zeros_like(next(iter(nodes.values())))
    for _ in range(k):
        left = [name for name in nodes if name not in chosen]
        best = max(left, key=lambda name: int((nodes[name] & ~covered).sum()))
        chosen.append(best)
        covered = covered | nodes[best]
    return tuple(name for name in nodes if name in chosen)
