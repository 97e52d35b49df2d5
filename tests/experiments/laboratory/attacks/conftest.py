"""Drawn scenes at 32 pixels a side, and what clouds would hold of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from experiments.laboratory.attacks.pictures import Pictures, Seen, averaged
from experiments.laboratory.attacks.transcripts import Transcript
from experiments.laboratory.attacks.views import Views
from workloads.scenes import Look, Scene, Split, scene

SIDE_PX = 32
LOOK = Look(side_px=64, prior=0.5)


@dataclass(frozen=True)
class World:
    """Scenes of three splits, and the pictures of them."""

    scenes: dict[Split, tuple[Scene, ...]]
    pictures: dict[Split, Pictures]


@pytest.fixture(scope="session")
def world() -> World:
    counts: dict[Split, int] = {"attack-train": 300, "attack-validate": 80, "test": 200}
    scenes = {
        split: tuple(scene(LOOK, 5, split, index) for index in range(count))
        for split, count in counts.items()
    }
    pictures = {
        split: averaged([each.picture for each in found], SIDE_PX)
        for split, found in scenes.items()
    }
    return World(scenes, pictures)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Leave the other core to others, where torch is there at all."""
    try:
        import torch
    except ImportError:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tile(row: int, column: int, size: int = 8) -> Seen:
    seen = np.zeros((SIDE_PX, SIDE_PX), bool)
    seen[row : row + size, column : column + size] = True
    return seen


def pixels(pictures: Pictures, seen: Seen) -> Views:
    """What a cloud holds that is sent the pixels themselves."""
    canvas = np.where(seen[..., None], pictures, 0).astype(np.float32)
    numbers = pictures[:, seen].reshape(len(pictures), -1)
    return Views(Transcript.of_numbers(numbers), canvas, seen)


def blind(pictures: Pictures, rng: np.random.Generator, features: int = 400) -> Views:
    """What a cloud holds that is sent additive shares: numbers as good as random."""
    seen = np.zeros(pictures.shape[1:3], bool)
    numbers = rng.standard_normal((len(pictures), features)).astype(np.float32)
    return Views(Transcript.of_numbers(numbers), np.zeros_like(pictures), seen)
