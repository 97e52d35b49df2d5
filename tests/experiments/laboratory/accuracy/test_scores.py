"""IoU, and how much of it is kept, with its interval."""

import numpy as np
import pandas as pd
import pytest

from experiments.laboratory.accuracy.scores import overlap, retained


def test_overlap_is_intersection_over_union():
    one = np.zeros((4, 8, 8), bool)
    other = one.copy()
    one[0, :4], other[0, 2:6] = True, True  # 2 rows of 6
    one[1], other[1] = True, True
    one[2], other[2] = True, False
    assert overlap(one, other).tolist() == [pytest.approx(1 / 3), 1.0, 0.0, 1.0]


def table(pictures, prompts, loss, seed=0):
    generator = np.random.default_rng(seed)
    unsplit = generator.uniform(0.5, 1.0, pictures * prompts)
    scores = unsplit * (1 - loss * generator.uniform(0, 2, pictures * prompts))
    names = np.repeat([f"p{n}" for n in range(pictures)], prompts)
    return pd.Series(scores), pd.Series(unsplit), pd.Series(names)


def test_what_is_equal_is_kept_whole_and_nothing_varies():
    _, unsplit, names = table(20, 3, 0.0)
    share = retained(unsplit, unsplit, names, seed=1)
    assert (share.value, share.low, share.high) == (1.0, 1.0, 1.0)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    truth, inside = 0.9, 0
    for seed in range(60):
        share = retained(*table(40, 3, 1 - truth, seed), seed=seed)
        assert share.low <= share.value <= share.high
        inside += share.low <= truth <= share.high
    assert 50 <= inside <= 60  # of 60 at 95 %: below 50 once in 10,000 times


def test_prompts_of_one_picture_are_no_samples_of_their_own():
    scores, unsplit, names = table(30, 1, 0.1)
    once = retained(scores, unsplit, names, seed=3)
    tenfold = [pd.concat([each] * 10) for each in (scores, unsplit, names)]
    again = retained(*tenfold, seed=3)
    assert again.value == pytest.approx(once.value)
    assert again.high - again.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_of_a_model_that_finds_nothing_no_part_can_be_kept():
    scores, unsplit, names = table(5, 2, 0.1)
    assert np.isnan(retained(scores, 0 * unsplit, names, seed=0).value)
