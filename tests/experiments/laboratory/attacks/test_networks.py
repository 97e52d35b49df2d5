"""A3, A4 and A5: networks and descent find what there is to find, and nothing in noise."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install 'tessera[lab]'")

import torch

from experiments.laboratory.attacks.attack import Attack
from experiments.laboratory.attacks.baselines import Interpolation, MeanFill
from experiments.laboratory.attacks.decoder import Decoder
from experiments.laboratory.attacks.inpainting import Inpainting
from experiments.laboratory.attacks.learning import Budget
from experiments.laboratory.attacks.metrics import psnr
from experiments.laboratory.attacks.optimisation import Descending, Optimisation, variation
from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.ridge import Ridge
from experiments.laboratory.attacks.transcripts import Transcript
from experiments.laboratory.attacks.views import Views

from .conftest import World, blind, pixels, tile

SEEN = tile(8, 8, 16)
BUDGET = Budget(steps=150, batch=16, rate=2e-3, every=25)


def reconstructed(attack: Attack, of: dict[str, Views], world: World) -> Pictures:
    held = of["attack-validate"], world.pictures["attack-validate"]
    attack.fit(of["attack-train"], world.pictures["attack-train"], held, np.random.default_rng(0))
    return attack.reconstruct(of["test"])


def gained_db(guessed: Pictures, world: World, where: np.ndarray) -> float:
    """By how many decibels a guess is better than the mean picture on some pixels."""
    truth = world.pictures["test"]
    mean = np.broadcast_to(world.pictures["attack-train"].mean(axis=0), truth.shape)
    return float((psnr(guessed, truth, where) - psnr(mean, truth, where)).mean())


@pytest.mark.parametrize(("make", "begun"), [(Decoder, MeanFill), (Inpainting, Interpolation)])
def test_networks_find_more_than_what_they_start_from(make: type, begun: type, world: World):
    of = {split: pixels(pictures, SEEN) for split, pictures in world.pictures.items()}
    state = torch.random.get_rng_state()
    found = reconstructed(make(BUDGET), of, world)
    assert (torch.random.get_rng_state() == state).all()
    start = gained_db(reconstructed(begun(), of, world), world, ~SEEN)
    assert gained_db(found, world, ~SEEN) > start + 0.05
    assert (found[:, SEEN] == world.pictures["test"][:, SEEN]).all()
    short = Budget(steps=3, batch=8, every=3)
    one, other = (reconstructed(make(short), of, world) for _ in range(2))
    assert (one == other).all()
    assert (one != found).any()


def test_a_decoder_finds_no_more_than_the_mean_in_noise(world: World):
    rng = np.random.default_rng(0)
    of = {split: blind(pictures, rng) for split, pictures in world.pictures.items()}
    found = reconstructed(Decoder(BUDGET), of, world)
    assert gained_db(found, world, of["test"].unseen) == pytest.approx(0, abs=0.2)


def test_sizes_that_networks_cannot_halve_thrice_are_refused():
    pictures = np.zeros((2, 12, 12, 3), np.float32)
    views = pixels(pictures, np.zeros((12, 12), bool))
    for attack in (Decoder(), Inpainting()):
        with pytest.raises(ValueError, match="12 pixels a side are no multiple of 8"):
            attack.fit(views, pictures, (views, pictures), np.random.default_rng(0))


def clumsily(pictures: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """A function that ridge regression cannot turn back: it is far from linear."""
    del held
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(48, 3, 4, 4, generator=generator) / 2
    return torch.nn.functional.conv2d(pictures, weight, stride=4).sin().flatten(1)


def test_descent_finds_the_picture_that_a_model_turns_into_what_was_received(world: World):
    counts = {"attack-train": 60, "attack-validate": 8, "test": 8}
    small = World({}, {split: each[: counts[split]] for split, each in world.pictures.items()})
    of = {}
    for split, pictures in small.pictures.items():
        there = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        numbers = clumsily(there, there).numpy()
        of[split] = Views(
            Transcript.of_numbers(numbers), np.zeros_like(pictures), np.zeros((32, 32), bool)
        )
    spending = Descending(steps=100, rate=0.02, tried=4, weights=(0.0, 0.03, 100.0))
    attack, begun = Optimisation(clumsily, spending), Ridge()
    found, first = (reconstructed(each, of, small) for each in (attack, begun))
    assert attack.weight < 100
    unseen = of["test"].unseen
    assert gained_db(found, small, unseen) > gained_db(first, small, unseen) + 2
    assert (reconstructed(Optimisation(None, spending), of, small) == first).all()


def test_total_variation_is_the_mean_step_down_and_across():
    picture = torch.zeros(1, 3, 2, 2)
    picture[:, :, :, 1] = 0.5
    assert variation(picture).tolist() == [0.5]
