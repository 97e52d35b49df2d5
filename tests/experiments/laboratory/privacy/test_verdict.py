"""The worst node and the best attack decide, by an upper bound."""

import pandas as pd
import pytest

from experiments.laboratory.attacks.statistics import below
from experiments.laboratory.privacy.sitting import ALONE, QUICK, SHOWN
from experiments.laboratory.privacy.verdict import curve, verdict

ROWS = pd.DataFrame(
    {
        "who": ["a", "a", "b", "b"],
        "k": [1, 1, 1, 1],
        "attack": ["A0", "A2", "A0", "A2"],
        "pictures": 1200,
        "identified": [3, 5, 2, 9],
        "passed": [4, 1, 0, 0],
        "psnr_db": [10.0, 12.0, 9.0, 11.0],
        "ssim": [0.1, 0.2, 0.3, 0.2],
    }
)
SEEN = pd.DataFrame({"who": ["a", "b"], "pixels": [0.25, 0.2], "half": [0.1, 0.3]})


def test_the_best_attack_on_the_worst_node_is_what_counts():
    found = verdict("p", {ALONE: ROWS, SHOWN: SEEN})
    assert (found.identified.who, found.identified.attack) == ("b", "A2")
    assert found.identified.rate.below == pytest.approx(below(9, 1200))
    assert (found.passed.who, found.passed.attack) == ("a", "A0")
    assert (found.pixels, found.objects_half) == (0.25, 0.3)
    assert (found.psnr_db, found.ssim) == (12.0, 0.3)
    assert not found.at_least


def test_of_quick_attacks_alone_it_is_what_they_reach_at_least():
    found = verdict("p", {QUICK: ROWS, SHOWN: SEEN})
    assert found.at_least
    assert found.identified.rate.successes == 9


def test_of_few_pictures_an_attack_decides_only_where_it_is_surely_worse():
    """One of 32 is more than nine of 1,200, but the next 31 may be none."""
    few = {"who": "b", "k": 1, "attack": "A4", "pictures": 32, "psnr_db": 11.0, "ssim": 0.2}
    for identified, best in ((1, "A2"), (9, "A4")):
        row = pd.DataFrame([few | {"identified": identified, "passed": 0}])
        found = verdict("p", {ALONE: pd.concat([ROWS, row]), SHOWN: SEEN})
        assert found.identified.attack == best


def test_a_curve_has_the_worst_of_each_size():
    more = ROWS.assign(k=[1, 2, 1, 2])
    assert {k: each.rate.successes for k, each in curve(more, "k").items()} == {1: 3, 2: 9}
