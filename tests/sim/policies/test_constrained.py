"""The assignment within bounds: kept, refused only where there is none, and soon done."""

import re
from collections.abc import Callable
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import PolicyError
from sim.policies.assignment import assign
from sim.policies.task import Limits, Task
from workloads.sam.geometry import Window, adjacent, windows
from workloads.sam.variants import VARIANTS, Variant
from workloads.stage import Shard

B, SMALL = windows(VARIANTS["vit-b"]), windows(VARIANTS["small"])
TINY = windows(Variant("tiny", 48, 2, 3, (1,), window_tokens=4, image_px=144))
"""Nine windows: four full ones, four borders of 4×1 and a corner of 1×1 token."""

SPEEDS = (1.0, 2.0, 4.0)


def task(
    known: tuple[Window, ...],
    count: int,
    limits: Limits,
    shown: dict[str, frozenset[Window]] | None = None,
) -> Task:
    nodes = tuple(f"c{number}" for number in range(count))
    return Task(known, nodes, cost_of(known), 0, limits, shown or {})


def cost_of(known: tuple[Window, ...]) -> Callable[[str, Shard], float]:
    by_index = {window.index: window for window in known}
    return lambda node, shard: (
        sum(by_index[index].tokens for index in shard) / SPEEDS[int(node[1:]) % 3]
    )


def attempt(given: Task) -> tuple[tuple[Shard, ...] | None, str]:
    """Return the assignment, or nothing and why."""
    try:
        return assign("privacy-constrained", given), ""
    except PolicyError as error:
        return None, str(error)


def within(shards: tuple[Shard, ...], known: tuple[Window, ...], limits: Limits) -> bool:
    """Whether an assignment keeps all bounds, worked out anew, every coalition by itself."""
    by_index = {window.index: window for window in known}
    seen = [sum(by_index[index].fraction for index in shard) for shard in shards]
    coalitions = combinations(seen, min(limits.coalition, len(seen)))
    touching = any(
        adjacent(by_index[a], by_index[b]) for shard in shards for a, b in combinations(shard, 2)
    )
    return (
        not touching
        and max(seen) <= limits.cap + 1e-9
        and max(map(sum, coalitions)) <= limits.coalition_cap + 1e-9
    )


@settings(max_examples=60, deadline=None)
@given(
    known=st.sampled_from([B, SMALL]),
    count=st.integers(1, 25),
    cap=st.floats(0.04, 1.0),
    coalition=st.integers(1, 4),
    coalition_cap=st.floats(0.1, 1.0),
)
def test_bounds_are_kept_or_the_task_is_refused(known, count, cap, coalition, coalition_cap):
    limits = Limits(cap, coalition, coalition_cap)
    shards, refusal = attempt(task(known, count, limits))
    if shards is None:
        assert "\n" not in refusal
        assert refusal.startswith("assignment privacy-constrained: ")
        if count >= 4:
            assert not within(assign("checkerboard", task(known, count, limits)), known, limits)
        return
    assert sorted(index for shard in shards for index in shard) == list(range(len(known)))
    assert within(shards, known, limits)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(3, 5),
    cap=st.floats(0.15, 0.6),
    coalition=st.integers(1, 3),
    coalition_cap=st.floats(0.3, 1.0),
)
def test_it_is_refused_only_where_no_assignment_at_all_is_within_bounds(
    count, cap, coalition, coalition_cap
):
    limits = Limits(cap, coalition, coalition_cap)
    possible = any(within(each, TINY, limits) for each in every_assignment(count))
    found, _ = attempt(task(TINY, count, limits))
    assert (found is not None) == possible


def every_assignment(count: int) -> list[tuple[Shard, ...]]:
    """Return all assignments of nine windows without neighbours together, to alike clouds."""
    if count not in KNOWN:
        KNOWN[count] = list(_every(count))
    return KNOWN[count]


KNOWN: dict[int, list[tuple[Shard, ...]]] = {}


def _every(count: int):
    for rest in product(range(count), repeat=8):
        if all(place <= max((0, *rest[:n])) + 1 for n, place in enumerate(rest)):
            owners = (0, *rest)
            shards = tuple(
                tuple(i for i, owner in enumerate(owners) if owner == n) for n in range(count)
            )
            if within(shards, TINY, Limits()):
                yield shards


@pytest.mark.parametrize("known", [B, SMALL], ids=["vit-b", "small"])
def test_with_room_it_is_about_as_soon_done_as_without_bounds(known):
    limits = Limits(0.4, 2, 0.7)
    cost_s = cost_of(known)

    def finish_s(scheme: str) -> float:
        given = task(known, 9, limits)
        return max(map(cost_s, given.nodes, assign(scheme, given)))

    assert finish_s("privacy-constrained") <= 1.35 * finish_s("speed-proportional")
    assert finish_s("privacy-constrained") < finish_s("checkerboard")


@pytest.mark.parametrize(
    ("count", "limits", "message"),
    [
        (3, Limits(), "4 windows touch each other, so it needs at least 4 clouds, got 3"),
        (16, Limits(0.04), "cap=0.04: one window shows 0.0479; give at least that"),
        (8, Limits(0.1), "cap=0.1 needs at least 10 clouds, got 8; .* raise cap to 0.1250"),
        (
            8,
            Limits(1, 2, 0.2),
            "coalition_cap=0.2 with coalition=2 needs at least 10 clouds",
        ),
        (16, Limits(0.07), "there is no way to give 25 windows to 16 clouds.*raise cap to 0.0958"),
    ],
)
def test_what_is_impossible_says_what_would_be_possible(count, limits, message):
    with pytest.raises(PolicyError, match=message):
        assign("privacy-constrained", task(B, count, limits))


@pytest.mark.parametrize(("count", "refused"), [(16, 0.07), (12, 0.09), (8, 0.13), (5, 0.2)])
def test_what_the_refusal_recommends_is_enough(count, refused):
    _, refusal = attempt(task(B, count, Limits(refused)))
    found = re.search(r"raise cap to ([\d.]+) and coalition_cap to ([\d.]+)", refusal)
    assert found is not None, refusal
    limits = Limits(float(found[1]), 1, float(found[2]))
    assert within(assign("privacy-constrained", task(B, count, limits)), B, limits)


def test_what_was_shown_before_counts():
    """A cloud with a window already gets none beside it, and no more than its cap in all."""
    limits = Limits(0.13, 1, 1.0)
    shown = {"c0": frozenset({SMALL[5], SMALL[7]}), "gone": frozenset({SMALL[0]})}
    missing = tuple(window for window in SMALL if window.index not in (5, 7))
    shards = assign("privacy-constrained", task(missing, 9, limits, shown))
    assert shards[0] == ()
    assert sorted(i for shard in shards for i in shard) == [w.index for w in missing]


def test_windows_that_were_seen_show_nothing_new():
    shown = {"c0": frozenset({SMALL[5], SMALL[7]})}
    shards = assign("privacy-constrained", task(SMALL, 8, Limits(0.125), shown))
    assert set(shards[0]) <= {5, 7}
    assert within(shards, SMALL, Limits(0.125))
