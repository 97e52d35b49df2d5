"""A6 and A9: places and classes are found where numbers tell them, and by chance where not."""

import numpy as np
import pytest

from experiments.laboratory.attacks.jigsaw import cut_out, jigsaw
from experiments.laboratory.attacks.semantic import Classifier, labels
from experiments.laboratory.attacks.transcripts import Transcript

from .conftest import World, blind, pixels, tile


def windows(count: int, told: float, seed: int) -> np.ndarray:
    """Sixteen windows of each picture: noise, and so much of what their place adds."""
    places = np.random.default_rng(0).standard_normal((16, 24))
    noise = np.random.default_rng(seed).standard_normal((count, 16, 24))
    return (noise + told * places).astype(np.float32)


def test_windows_whose_place_is_told_come_back_to_it():
    known, held, attacked = (windows(n, 2.0, seed) for seed, n in enumerate((150, 40, 100), 1))
    found = jigsaw(known, held, attacked, np.random.default_rng(0))
    assert found.chance == 1 / 16
    assert found.accuracy.mean > 0.95


def test_windows_are_cut_out_whole_and_in_order():
    pictures = np.arange(2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)
    right = slice(0, 2), slice(2, 4)
    found = cut_out(pictures, [right, (slice(2, 4), slice(0, 2))])
    assert found.shape == (2, 2, 12)
    np.testing.assert_array_equal(found[:, 0], pictures[:, *right].reshape(2, -1))


def test_windows_that_tell_nothing_of_their_place_come_there_by_chance():
    known, held, attacked = (windows(n, 0.0, seed) for seed, n in enumerate((150, 40, 400), 1))
    found = jigsaw(known, held, attacked, np.random.default_rng(0))
    # one of 16 on average with a variance of one (matches of a random permutation)
    assert found.accuracy.mean == pytest.approx(1 / 16, abs=4 / 16 / 400**0.5)


def classified(numbers: dict, classes: dict) -> Classifier:
    held = numbers["attack-validate"], classes["attack-validate"]
    return Classifier(numbers["attack-train"], classes["attack-train"], held)


def test_the_mood_lies_over_all_of_a_picture_so_that_one_view_tells_it(world: World):
    found = {split: labels(scenes) for split, scenes in world.scenes.items()}
    assert sorted(found["test"]) == ["largest hue", "mood", "secret"]
    mood = {split: each["mood"] for split, each in found.items()}
    numbers = {
        split: pixels(pictures, tile(8, 8)).transcript for split, pictures in world.pictures.items()
    }
    judged = classified(numbers, mood).judged(numbers["test"], mood["test"])
    assert judged.right.low > judged.majority.high
    rng = np.random.default_rng(0)
    noise = {split: blind(each, rng).transcript for split, each in world.pictures.items()}
    judged = classified(noise, mood).judged(noise["test"], mood["test"])
    assert judged.right.low < 1 / 8 < judged.right.high


def test_the_majority_is_that_of_the_pictures_learnt_from():
    numbers = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    classes = np.array([3] * 20 + [5] * 10)
    numbers[:20, 0] += 20
    known = Transcript.of_numbers(numbers)
    found = Classifier(known, classes, (known, classes)).judged(known, classes)
    assert found.majority.rate == pytest.approx(2 / 3)
    assert found.right.rate == 1
    unknown = Classifier(known, classes, (known, classes)).judged(known, classes + 1)
    assert unknown.right.successes == 0
