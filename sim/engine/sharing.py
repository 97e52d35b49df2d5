"""Max-min fair sharing as the textbook defines it: the specification of `sim.engine.fairness`.

Progressive filling (Bertsekas and Gallager, *Data Networks*, 2nd ed., section 6.5.2): raise the
level of all flows together; when a link is full, its flows have reached theirs; go on with the
others. A flow's rate is its level times its weight, so equal weights share a link equally.
"""

from collections.abc import Sequence


def max_min_rates(
    routes: Sequence[Sequence[int]],
    weights: Sequence[float],
    capacities: Sequence[float],
    caps: Sequence[float] | None = None,
) -> list[float]:
    """Return the level (bytes per second per unit of weight) of the flows on each route.

    ``routes[i]`` lists the links (indices into ``capacities``, bytes per second) that class ``i``
    crosses, at least one and none twice; ``weights[i]`` is the sum of its flows' weights.

    One long flow over two links, one flow on the first of them and two on the second:

    >>> max_min_rates([(0, 1), (0,), (1,)], [1, 1, 2], [10.0, 9.0])
    [3.0, 7.0, 3.0]

    ``caps[i]`` is the most that class ``i`` may get, in bytes per second, whatever its weight: a
    cap is a link that no other class crosses. The first of two flows may have only a quarter:

    >>> max_min_rates([(0,), (0,)], [1, 1], [8.0], [2.0, float("inf")])
    [2.0, 6.0]
    """
    if caps is None:
        return fill(routes, weights, capacities)[0]
    own = range(len(capacities), len(capacities) + len(caps))
    capped = [(*route, link) for route, link in zip(routes, own, strict=True)]
    return fill(capped, weights, [*capacities, *caps])[0]


def fill(
    routes: Sequence[Sequence[int]],
    weights: Sequence[float],
    capacities: Sequence[float],
) -> tuple[list[float], list[int]]:
    """Return the levels as `max_min_rates` does, and the link that stopped each class."""
    levels, stopped_by = [0.0] * len(routes), [-1] * len(routes)
    crossing: dict[int, list[int]] = {}
    for index, route in enumerate(routes):
        for link in route:
            crossing.setdefault(link, []).append(index)
    left = {link: capacities[link] for link in crossing}
    rising = {link: sum(weights[index] for index in crossing[link]) for link in crossing}
    while rising:
        level, full = min((left[link] / weight, link) for link, weight in rising.items())
        for index in [index for index in crossing[full] if stopped_by[index] < 0]:
            levels[index], stopped_by[index] = level, full
            for link in routes[index]:
                left[link] = max(left[link] - weights[index] * level, 0.0)
        for link in list(rising):
            rising[link] = sum(weights[i] for i in crossing[link] if stopped_by[i] < 0)
            if not rising[link]:
                del rising[link]
    return levels, stopped_by
