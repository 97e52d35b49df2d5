"""A2 against the closed form and against controls; what it knows grows with what it is shown."""

from itertools import pairwise

import numpy as np
import pytest

from experiments.laboratory.attacks.metrics import identification, psnr
from experiments.laboratory.attacks.pictures import Pictures, Seen
from experiments.laboratory.attacks.ridge import GRID, Regression, Ridge, ShownRidge
from experiments.laboratory.attacks.statistics import Proportion, proportion
from experiments.laboratory.attacks.transcripts import Transcript
from experiments.laboratory.attacks.views import Views, united

from .conftest import World, blind, pixels, tile

CANDIDATES = 100


def reconstructed(of: dict[str, Views], world: World, kind: type[Ridge] = Ridge) -> Pictures:
    attack = kind()
    held = of["attack-validate"], world.pictures["attack-validate"]
    attack.fit(of["attack-train"], world.pictures["attack-train"], held, np.random.default_rng(0))
    return attack.reconstruct(of["test"])


def identified(guessed: Pictures, world: World, unseen: Seen) -> Proportion:
    truth = world.pictures["test"]
    rng = np.random.default_rng(0)
    ranks = identification(guessed, truth, truth, unseen, rng, CANDIDATES)
    return proportion(int((ranks == 1).sum()), len(ranks))


@pytest.mark.parametrize("features", [5, 40])
def test_predictions_are_the_closed_forms_with_few_features_and_with_many(features: int):
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((20, features)).astype(np.float32) * 3 + 1
    wanted = numbers[:, :2].astype(np.float64) + rng.standard_normal((20, 2))
    others = rng.standard_normal((7, features)).astype(np.float32) * 3 + 1
    known = Transcript.of_numbers(numbers)
    found = Regression(known, wanted, (known, wanted), lambda *_: 0.0)
    assert found.penalty == pytest.approx(known.components.variances.mean() * GRID[-1])
    x = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    z = (others - numbers.mean(axis=0)) / numbers.std(axis=0)
    inverse = np.linalg.inv(x.T @ x + found.penalty * np.eye(features))
    by_hand = z @ inverse @ x.T @ (wanted - wanted.mean(axis=0)) + wanted.mean(axis=0)
    assert found.predicted(Transcript.of_numbers(others)) == pytest.approx(by_hand, rel=1e-6)


def test_the_penalty_is_the_one_that_does_best_on_the_validation_split():
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((60, 30)).astype(np.float32)
    plain = numbers @ rng.standard_normal((30, 2))
    noisy = plain + 30 * rng.standard_normal((60, 2))

    def error(one: np.ndarray, other: np.ndarray) -> float:
        return float(((one - other) ** 2).mean())

    known = Transcript.of_numbers(numbers)
    held = Transcript.of_numbers(rng.standard_normal((40, 30)).astype(np.float32))
    exact = Regression(known, plain, (known, plain), error)
    shrunk = Regression(known, noisy, (held, np.zeros((40, 2))), error)
    assert shrunk.penalty > 1e3 * exact.penalty


def mixed(world: World, numbers: int) -> dict[str, Views]:
    """So many linear functions of each picture, of which no pixel is shown."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((32 * 32 * 3, numbers)).astype(np.float32)
    return {
        split: Views(
            Transcript.of_numbers(pictures.reshape(len(pictures), -1) @ mix),
            np.zeros_like(pictures),
            np.zeros((32, 32), bool),
        )
        for split, pictures in world.pictures.items()
    }


def test_what_is_a_linear_function_of_a_picture_gives_it_away(world: World):
    of = mixed(world, 250)
    guessed = reconstructed(of, world)
    truth = world.pictures["test"]
    mean = np.broadcast_to(truth.mean(axis=0), truth.shape)
    assert psnr(guessed, truth).mean() > psnr(mean, truth).mean() + 5
    assert identified(guessed, world, of["test"].unseen).rate > 0.9


def test_random_numbers_as_additive_shares_are_tell_nothing(world: World):
    rng = np.random.default_rng(3)
    of = {split: blind(pictures, rng) for split, pictures in world.pictures.items()}
    guessed = reconstructed(of, world)
    found = identified(guessed, world, of["test"].unseen)
    assert found.low <= 1 / CANDIDATES <= found.high
    truth = world.pictures["test"]
    mean = np.broadcast_to(world.pictures["attack-train"].mean(axis=0), truth.shape)
    assert psnr(guessed, truth).mean() == pytest.approx(psnr(mean, truth).mean(), abs=0.1)


def test_the_more_a_coalition_was_shown_the_more_it_identifies(world: World):
    tiles = [tile(row, column) for row, column in ((8, 8), (16, 16), (0, 24), (24, 0), (0, 8))]
    unseen = ~np.logical_or.reduce(tiles)  # the same for all of them, so that rates compare
    rates = []
    for count in (1, 2, 3, 5):
        of = {
            split: united(pixels(pictures, each) for each in tiles[:count])
            for split, pictures in world.pictures.items()
        }
        rates.append(identified(reconstructed(of, world), world, unseen))
    for fewer, more in pairwise(rates):
        assert more.high >= fewer.low
    assert rates[-1].low > rates[0].high
    assert rates[0].low > 1 / CANDIDATES


def test_what_was_shown_is_kept_and_the_same_is_found_again(world: World):
    of = {split: pixels(pictures, tile(8, 8)) for split, pictures in world.pictures.items()}
    one, other = reconstructed(of, world), reconstructed(of, world)
    assert (one == other).all()
    assert (one[:, tile(8, 8)] == world.pictures["test"][:, tile(8, 8)]).all()
    assert one.dtype == np.float32
    assert one.min() >= 0
    assert one.max() <= 1


def test_pixels_shown_tell_what_they_do_whatever_else_is_held(world: World):
    rng = np.random.default_rng(4)
    plain = {split: pixels(pictures, tile(8, 8)) for split, pictures in world.pictures.items()}
    drowned = {
        split: Views(
            Transcript.of_numbers(rng.standard_normal((len(each), 9)).astype(np.float32)),
            each.canvas,
            each.seen,
        )
        for split, each in plain.items()
    }
    found = reconstructed(drowned, world, ShownRidge)
    assert (found == reconstructed(plain, world, ShownRidge)).all()
    truth, unseen = world.pictures["test"], plain["test"].unseen
    ignorant = reconstructed(drowned, world)
    assert psnr(found, truth, unseen).mean() > psnr(ignorant, truth, unseen).mean() + 0.5


def test_where_no_pixel_is_shown_it_goes_by_all_numbers(world: World):
    of = mixed(world, 50)
    assert (reconstructed(of, world, ShownRidge) == reconstructed(of, world)).all()
