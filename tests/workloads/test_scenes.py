"""Drawn scenes: their masks are exact, their splits are apart, and their prior is what it says."""

from itertools import combinations

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pip install 'tessera[real]'")

from workloads.errors import WorkloadError
from workloads.scenes import (
    HUES,
    KINDS,
    MOODS,
    SPLITS,
    Look,
    box_around,
    point_in,
    scene,
)

MANY = 60


@pytest.fixture(scope="module")
def scenes():
    return [scene(Look(), 3, "train", index) for index in range(MANY)]


def test_a_scene_follows_from_seed_split_and_number_alone():
    one, again = (scene(Look(), 1, "test", 7) for _ in range(2))
    assert np.array_equal(one.picture, again.picture)
    assert np.array_equal(one.owners, again.owners)
    assert one.things == again.things
    others = [scene(Look(), 2, "test", 7), scene(Look(), 1, "test", 8)]
    others += [scene(Look(), 1, split, 7) for split in SPLITS if split != "test"]
    for first, second in combinations([one, *others], 2):
        assert not np.array_equal(first.picture, second.picture)


def test_every_object_can_be_seen_and_every_pixel_has_one_owner(scenes):
    for each in scenes:
        assert each.picture.shape == (256, 256, 3)
        assert each.picture.dtype == np.uint8
        assert 1 <= len(each.things) <= 6
        masks = [each.mask(number) for number in range(len(each.things))]
        assert min(int(mask.sum()) for mask in masks) >= 0.004 * 256**2
        assert np.array_equal(sum(mask.astype(int) for mask in masks), each.owners >= 0)


def test_a_mask_ends_where_the_colours_change():
    """Within an object colours are alike, across its border they jump."""
    within, across = [], []
    for index in range(MANY):
        drawn = scene(Look(prior=0), 5, "train", index)
        colours, owners = drawn.picture.astype(float), drawn.owners
        jumps = np.abs(np.diff(colours, axis=1)).max(axis=2)
        plain = [drawn.mask(n) for n, thing in enumerate(drawn.things) if not thing.text]
        inside = np.any(
            [mask[:, 1:] & mask[:, :-1] for mask in plain] or [owners[:, 1:] < -1], axis=0
        )
        border = (owners[:, 1:] != owners[:, :-1]) & (owners.max() >= 0)
        within += jumps[inside].tolist()
        across += jumps[border].tolist()
    assert np.median(across) > 5 * np.median(within)


def test_all_that_an_attacker_may_guess_occurs(scenes):
    things = [thing for each in scenes for thing in each.things]
    assert {thing.kind for thing in things} == set(KINDS)
    assert {thing.hue for thing in things} == set(range(HUES))
    assert {each.mood for each in scenes} == set(range(MOODS))
    assert {len(each.things) for each in scenes} == set(range(1, 7))
    for each in scenes:
        assert each.secrets() == tuple(t.text for t in each.things if t.kind == "secret")
        assert each.largest() in each.things


def test_a_secret_is_written_on_its_plate_and_nowhere_else():
    """Its ink is the plate's strongest contrast, and covers a part of it that letters do."""
    found = 0
    for index in range(MANY):
        drawn = scene(Look(prior=0, most_objects=2), 9, "train", index)
        for number, thing in enumerate(drawn.things):
            if thing.text:
                grey = drawn.picture.mean(axis=2)[drawn.mask(number)]
                ink = (grey < 30) | (grey > 225)
                assert len(thing.text) == 4
                assert 0.03 < ink.mean() < 0.6
                found += 1
    assert found > 5


def test_with_a_stronger_prior_one_half_tells_more_of_the_other():
    """What a ridge regression from the left half's blocks explains of the right one's, held out."""

    def explained(prior: float) -> float:
        look = Look(side_px=64, prior=prior)
        pictures = [scene(look, 4, "attack-train", index).picture for index in range(400)]
        blocks = np.array(pictures, float).reshape(-1, 8, 8, 8, 8, 3).mean(axis=(2, 4)) / 255
        left, right = (half.reshape(400, -1) for half in np.split(blocks, 2, axis=2))
        known, unknown = slice(0, 300), slice(300, 400)
        view, wanted = left - left[known].mean(axis=0), right - right[known].mean(axis=0)
        penalty = 3.0 * np.eye(view.shape[1])
        weights = np.linalg.solve(
            view[known].T @ view[known] + penalty, view[known].T @ wanted[known]
        )
        off = wanted[unknown] - view[unknown] @ weights
        return 1 - float((off**2).mean() / (wanted[unknown] ** 2).mean())

    weak, middling, strong = (explained(prior) for prior in (0.0, 0.75, 1.0))
    assert 0 < weak < middling < strong
    assert strong > weak + 0.1


def test_a_point_is_of_its_mask_and_without_chance_the_one_farthest_inside():
    mask = np.zeros((40, 40), bool)
    mask[10:21, 5:16] = True
    mask[30, 30] = True
    assert point_in(mask) == (10.0, 15.0)
    generator = np.random.default_rng(0)
    for _ in range(50):
        x, y = point_in(mask, generator)
        assert mask[int(y), int(x)]


def test_a_box_is_around_its_mask_or_off_by_a_little():
    mask = np.zeros((256, 256), bool)
    mask[10:21, 5:105] = True
    assert box_around(mask) == (5.0, 10.0, 105.0, 21.0)
    generator = np.random.default_rng(0)
    boxes = np.array([box_around(mask, generator) for _ in range(500)])
    off = boxes - (5, 10, 105, 21)
    assert np.abs(off[:, [0, 2]]).max() <= 5.0
    assert off.std(axis=0)[[1, 3]] == pytest.approx([1.1, 1.1], rel=0.2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prior": 1.5}, "scenes.prior: 1.5; give 0 to 1"),
        ({"side_px": 8}, "scenes.side_px: 8; give 16 to 4096"),
        ({"most_objects": 0}, "scenes.most_objects: 0; give 1 to 100"),
    ],
)
def test_a_look_that_is_none_is_refused(changes, words):
    with pytest.raises(WorkloadError, match=words):
        Look(**changes)


def test_a_split_that_is_none_is_refused():
    with pytest.raises(WorkloadError, match="split: 'dev' is unknown; choose one of train"):
        scene(Look(), 0, "dev", 0)
