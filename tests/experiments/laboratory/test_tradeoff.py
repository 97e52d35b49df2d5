"""Designs side by side: limits by the near bound, the front, and the smallest gap."""

import math

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.laboratory.accuracy.scores import Share
from experiments.laboratory.attacks.statistics import proportion
from experiments.laboratory.privacy.verdict import Worst
from experiments.laboratory.tradeoff import Limits, Row, best, nearest

LIMITS = Limits(kept=0.983, attacked=0.007, deadline_s=0.32)


def row(name, kept, successes, p99_s, low=None, *, at_least=False):
    share = Share(kept, kept - 0.001 if low is None else low, kept + 0.001)
    worst = Worst("a", "A2", proportion(successes, 1200))
    return Row(name, share, worst, at_least, 0.1, p99_s / 2, p99_s, 1e6, 1e6, 1e-4)


def test_a_limit_is_kept_by_the_near_bound_and_not_by_the_middle():
    assert row("good", 0.99, 3, 0.3).meets(LIMITS) == (True, True, True)
    assert row("unsure", 0.985, 3, 0.3, low=0.98).meets(LIMITS) == (False, True, True)
    # 4 of 1,200 are 0.33 %, but may well be 0.76 %.
    assert row("few", 0.99, 4, 0.3).meets(LIMITS) == (True, False, True)
    assert row("endless", 0.99, 3, math.inf).meets(LIMITS) == (True, True, False)


def test_the_front_is_what_nothing_beats_in_everything():
    rows = [
        row("accurate", 1.0, 900, 0.5),
        row("private", 0.9, 0, 0.5),
        row("quick", 0.9, 900, 0.1),
        row("beaten", 0.9, 900, 0.5),
        row("twin", 0.9, 900, 0.1),
    ]
    assert best(rows) == (True, True, True, False, True)


def test_what_attacks_succeed_in_at_least_beats_nothing_but_is_beaten():
    rows = [row("unsure", 0.95, 900, 0.1, at_least=True), row("whole", 0.95, 1000, 0.1)]
    assert best(rows) == (True, True)
    rows = [row("unsure", 0.95, 900, 0.1, at_least=True), row("whole", 0.95, 800, 0.1)]
    assert best(rows) == (False, True)


def test_the_nearest_has_the_smallest_of_the_worst_gaps():
    rows = [row("slow", 0.99, 3, 0.64), row("leaks", 0.99, 600, 0.3), row("off", 0.93, 3, 0.3)]
    assert nearest(rows, LIMITS).policy == "slow"
    assert rows[0].gaps(LIMITS)[2] == pytest.approx(2.0)
    assert rows[2].gaps(LIMITS)[0] == pytest.approx(0.071 / 0.017)
    assert nearest([], LIMITS) is None
