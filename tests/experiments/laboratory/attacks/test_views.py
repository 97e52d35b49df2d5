"""What coalitions hold together."""

import numpy as np
import pytest

from experiments.laboratory.attacks.coalitions import coalitions, greedy
from experiments.laboratory.attacks.transcripts import Transcript
from experiments.laboratory.attacks.views import Views, united

from .conftest import pixels, tile

RNG = np.random.default_rng(0)
PICTURES = RNG.random((3, 32, 32, 3), dtype=np.float32)


def test_joined_views_have_all_features_and_both_canvases():
    one, other = pixels(PICTURES, tile(0, 0)), pixels(PICTURES, tile(4, 4))
    both = one.joined(other)
    assert both.numbers.shape == (3, 2 * 8 * 8 * 3)
    assert (both.seen == (tile(0, 0) | tile(4, 4))).all()
    assert (both.canvas[:, both.seen] == PICTURES[:, both.seen]).all()
    assert not both.canvas[:, both.unseen].any()


def test_views_of_many_frames_are_united_in_order():
    frames = [pixels(PICTURES, tile(8 * n, 8)) for n in range(4)]
    whole = united(frames)
    assert whole.seen.sum() == 4 * 64
    assert (whole.numbers == np.concatenate([each.numbers for each in frames], axis=1)).all()
    with pytest.raises(ValueError, match="not of the same pictures"):
        frames[0].joined(frames[1].of(slice(2)))


def test_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match=r"views.canvas: has shape"):
        Views(Transcript.of_numbers(np.zeros((2, 4), np.float32)), PICTURES, tile(0, 0))


def test_what_was_shown_is_copied_into_a_guess():
    views = pixels(PICTURES, tile(0, 0))
    found = views.completed(np.full_like(PICTURES, 2))
    assert (found[:, views.seen] == PICTURES[:, views.seen]).all()
    assert (found[:, views.unseen] == 1).all()


NODES = {f"n{number}": tile(8 * (number // 4), 8 * (number % 4)) for number in range(16)}


def test_few_coalitions_are_all_returned_and_of_many_different_ones():
    assert len(coalitions(NODES, 2, np.random.default_rng(0), 120)) == 120
    some = coalitions(NODES, 2, np.random.default_rng(0), 30)
    assert len(set(some)) == 30
    assert some == coalitions(NODES, 2, np.random.default_rng(0), 30)
    assert some[0] == greedy(NODES, 2)
    for k, most in ((0, 1), (17, 1)):
        with pytest.raises(ValueError, match="give 1 to 16"):
            coalitions(NODES, k, np.random.default_rng(0), most)


def test_the_greedy_coalition_takes_on_who_adds_most_not_who_has_most():
    nodes = {"a": tile(0, 0, 16), "in a": tile(0, 0, 15), "apart": tile(20, 20, 4)}
    assert greedy(nodes, 2) == ("a", "apart")
