"""A0: each of the baselines does what it says, and no more."""

import numpy as np
import pytest

from experiments.laboratory.attacks.attack import Attack
from experiments.laboratory.attacks.baselines import (
    Interpolation,
    MeanFill,
    MeanImage,
    OtherImage,
    WholeImage,
)
from experiments.laboratory.attacks.metrics import psnr
from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.views import Views

from .conftest import World, blind, pixels, tile

SEEN = tile(8, 8, 16)


def reconstructed(attack: Attack, world: World, views: Views) -> Pictures:
    known = world.pictures["attack-train"]
    held = world.pictures["attack-validate"]
    rng = np.random.default_rng(0)
    attack.fit(pixels(known, SEEN), known, (pixels(held, SEEN), held), rng)
    return attack.reconstruct(views)


def test_the_mean_has_no_view_and_the_mean_fill_its_own(world: World):
    truth, mean = world.pictures["test"], world.pictures["attack-train"].mean(axis=0)
    views = pixels(truth, SEEN)
    plain = reconstructed(MeanImage(), world, views)
    filled = reconstructed(MeanFill(), world, views)
    assert (plain == mean).all()
    assert (filled[:, SEEN] == truth[:, SEEN]).all()
    assert (filled[:, ~SEEN] == plain[:, ~SEEN]).all()


def test_interpolation_carries_on_what_is_linear_exactly_between_seen_pixels():
    ramp = np.linspace(0, 1, 32, dtype=np.float32)[None, None, :, None]
    truth = np.broadcast_to(ramp, (2, 32, 32, 3)).copy()
    seen = np.zeros((32, 32), bool)
    seen[:, [0, 31]] = True
    attack = Interpolation()
    views = pixels(truth, seen)
    attack.fit(views, truth, (views, truth), np.random.default_rng(0))
    assert attack.reconstruct(views) == pytest.approx(truth, abs=1e-6)
    # where one side is seen only, its values go on
    seen[:, 31] = False
    assert attack.reconstruct(pixels(truth, seen)) == pytest.approx(0 * truth, abs=1e-6)


def test_interpolation_stays_within_what_was_seen_and_beats_the_mean_near_it(world: World):
    truth = world.pictures["test"]
    views = pixels(truth, SEEN)
    found = reconstructed(Interpolation(), world, views)
    low, high = (edge(truth[:, SEEN], axis=1)[:, None, None] for edge in (np.min, np.max))
    assert (found >= low - 1e-5).all()
    assert (found <= high + 1e-5).all()
    near = tile(7, 8, 16) & ~SEEN
    filled = reconstructed(MeanFill(), world, views)
    assert psnr(found, truth, near).mean() > psnr(filled, truth, near).mean() + 3


def test_interpolation_of_nothing_or_everything_is_the_mean_fill(world: World):
    truth = world.pictures["test"]
    for views in (blind(truth, np.random.default_rng(0)), pixels(truth, np.ones((32, 32), bool))):
        found = reconstructed(Interpolation(), world, views)
        assert (found == reconstructed(MeanFill(), world, views)).all()


def test_other_images_are_drawn_from_those_known(world: World):
    known = world.pictures["attack-train"]
    views = pixels(world.pictures["test"], SEEN)
    found = reconstructed(OtherImage(), world, views)
    parts = {picture[~SEEN].tobytes() for picture in known}
    drawn = {picture[~SEEN].tobytes() for picture in found}
    assert drawn <= parts
    assert len(drawn) > 50
    assert (found == reconstructed(OtherImage(), world, views)).all()


def test_the_ceiling_returns_the_truth_and_nothing_else(world: World):
    truth = world.pictures["test"]
    views = pixels(truth, SEEN)
    assert (reconstructed(WholeImage(truth), world, views) == truth).all()
    with pytest.raises(ValueError, match="is not the truth's"):
        reconstructed(WholeImage(truth), world, views.of(slice(3)))
