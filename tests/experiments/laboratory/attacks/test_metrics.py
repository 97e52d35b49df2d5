"""Figures against values worked out by hand, and identification against controls."""

import numpy as np
import pytest

from experiments.laboratory.attacks.metrics import identification, psnr
from experiments.laboratory.attacks.statistics import proportion
from experiments.laboratory.attacks.thresholds import thresholds

from .conftest import SIDE_PX, World, tile


def test_psnr_is_of_the_pixels_named():
    truth = np.full((2, 4, 4, 3), 0.5, np.float32)
    found = truth.copy()
    found[:, :2] += 0.1
    found[1, :2] += 0.1
    where = np.zeros((4, 4), bool)
    where[:2] = True
    assert psnr(found, truth, where) == pytest.approx([20, 20 - 20 * np.log10(2)], abs=1e-4)
    assert psnr(found, truth)[0] == pytest.approx(20 + 10 * np.log10(2), abs=1e-4)
    assert np.isposinf(psnr(found, truth, ~where)).all()
    assert np.isnan(psnr(found, truth, np.zeros((4, 4), bool))).all()


def ranked(guessed: np.ndarray, world: World, seed: int = 0, candidates: int = 100) -> np.ndarray:
    truth = world.pictures["test"]
    rng = np.random.default_rng(seed)
    return identification(guessed, truth, truth, ~tile(0, 0), rng, candidates)


def test_the_truth_is_always_identified(world: World):
    assert (ranked(world.pictures["test"], world) == 1).all()


def test_mismatched_pairs_are_identified_by_chance(world: World):
    ranks = ranked(world.pictures["attack-train"][:200], world, candidates=10)
    first = proportion(int((ranks == 1).sum()), len(ranks))
    assert first.low <= 1 / 10 <= first.high
    assert not first.low <= 1 / 5 <= first.high
    assert np.mean(ranks) == pytest.approx(5.5, rel=0.15)


def test_another_picture_of_the_gallery_is_identified_as_that_one(world: World):
    truth = world.pictures["test"]
    assert (ranked(np.roll(truth, 1, axis=0), world, candidates=len(truth)) > 1).all()


def test_ranks_are_those_of_distances_worked_out_one_by_one(world: World):
    truth = world.pictures["test"]
    noise = 0.4 * np.random.default_rng(1).standard_normal(truth.shape)
    guessed = (truth.mean(axis=0) + 0.05 * truth + noise).astype(np.float32)
    found = ranked(guessed, world, candidates=len(truth))
    where = ~tile(0, 0)
    for n in range(0, 200, 20):
        apart = ((truth[:, where].astype(float) - guessed[n, where]) ** 2).sum(axis=(1, 2))
        assert found[n] == 1 + (np.delete(apart, n) <= apart[n]).sum()
    assert found.max() > 1


def test_a_reconstruction_that_says_nothing_is_never_first():
    alike = np.repeat(np.random.default_rng(0).random((1, 8, 8, 3), dtype=np.float32), 30, axis=0)
    gallery = alike.copy()
    gallery[:, 0, 0, 0] = np.linspace(0, 1, 30)  # where they are seen, they differ
    unseen = np.ones((8, 8), bool)
    unseen[0, 0] = False
    rng = np.random.default_rng(0)
    assert (identification(alike, gallery, gallery, unseen, rng, 20) == 20).all()
    unseen[0, 0] = True
    assert (identification(gallery, gallery, gallery, unseen, rng, 20) == 1).all()


def test_identification_needs_unseen_pixels_and_enough_others(world: World):
    truth, rng = world.pictures["test"], np.random.default_rng(0)
    with pytest.raises(ValueError, match="199 pictures beside the true one are fewer than 200"):
        identification(truth, truth, truth, ~tile(0, 0), rng, 201)
    with pytest.raises(ValueError, match="nothing to guess"):
        identification(truth, truth, truth, np.zeros((SIDE_PX, SIDE_PX), bool), rng, 10)


def test_thresholds_are_what_the_best_baseline_reaches_once_in_a_thousand():
    weak, strong = np.linspace(0, 1, 2001), np.linspace(0, 2, 2001)
    found = thresholds([(weak, 3 * strong), (strong, 3 * weak)])
    assert found.ssim == pytest.approx(2 * 0.999, abs=1.1 / 1000)
    assert found.psnr_db == pytest.approx(6 * 0.999, abs=3.1 / 1000)
    assert (strong > found.ssim).mean() <= 0.001
    assert (weak > 0.999).mean() > 0  # which the weaker one's would not be, either
    passed = found.passed(np.array([2.0, 2.0, 1.9]), np.array([6.0, 5.9, 6.0]))
    assert passed.tolist() == [True, False, False]
    with pytest.raises(ValueError, match="ssim has no figures"):
        thresholds([(np.array([np.nan]), weak)])
