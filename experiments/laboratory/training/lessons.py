"""What a SAM is shown: scenes, the prompts on them, and the masks that are wanted."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from experiments.helpers import live_with
from workloads.scenes import Look, Scene, Split, box_around, point_in, scene

Prompting = Literal["point", "box"]
PROMPTINGS: Final[tuple[Prompting, ...]] = get_args(Prompting)
_FOREGROUND, _PADDING, _FIRST_CORNER, _LAST_CORNER = 1, -1, 2, 3
_PROMPTS_SEED = 0x5A


@dataclass(frozen=True, slots=True)
class Lesson:
    """One picture with prompts on it.

    ``picture`` is uint8 (3, side, side); ``prompts`` float32 (prompts, 2, 3), x, y and label of two
    points each, as `real_runner.shards.decoder` takes them: a point with its padding, or a box's
    two corners; ``masks`` bool (prompts, side, side).
    """

    picture: Tensor
    prompts: Tensor
    masks: Tensor

    @property
    def is_point(self) -> Tensor:
        """Which of the prompts are points, bool (prompts,)."""
        return self.prompts[:, 1, 2] == _PADDING


def lesson(look: Look, seed: int, split: Split, index: int, most: int) -> Lesson:
    """Return a scene with points and boxes drawn at random on at most ``most`` of its objects."""
    drawn = scene(look, seed, split, index)
    generator = np.random.default_rng([seed, _PROMPTS_SEED, index])
    chosen = generator.permutation(len(drawn.things))[:most]
    prompts = []
    for number in chosen:
        mask = drawn.mask(int(number))
        if generator.random() < 1 / 2:
            prompts.append(point_prompt(*point_in(mask, generator)))
        else:
            prompts.append(box_prompt(*box_around(mask, generator)))
    return _lesson(drawn, chosen, prompts)


def examination(look: Look, seed: int, split: Split, index: int, prompting: Prompting) -> Lesson:
    """Return a scene with one prompt of a kind on each of its objects, none by chance.

    A point is the one farthest inside, a box fits to the pixel.
    """
    drawn = scene(look, seed, split, index)
    numbers = np.arange(len(drawn.things))
    masks = [drawn.mask(int(number)) for number in numbers]
    if prompting == "point":
        return _lesson(drawn, numbers, [point_prompt(*point_in(mask)) for mask in masks])
    return _lesson(drawn, numbers, [box_prompt(*box_around(mask)) for mask in masks])


Prompt = tuple[tuple[float, float, float], tuple[float, float, float]]


def point_prompt(x: float, y: float) -> Prompt:
    """Return a point on an object, with its padding."""
    return (x, y, _FOREGROUND), (0.0, 0.0, _PADDING)


def box_prompt(left: float, top: float, right: float, bottom: float) -> Prompt:
    """Return a box around an object, by its corners."""
    return (left, top, _FIRST_CORNER), (right, bottom, _LAST_CORNER)


def _lesson(drawn: Scene, numbers: Any, prompts: list[Prompt]) -> Lesson:
    return Lesson(
        torch.from_numpy(drawn.picture).permute(2, 0, 1),
        torch.tensor(prompts, dtype=torch.float32),
        torch.from_numpy(np.stack([drawn.mask(int(number)) for number in numbers])),
    )


Arrays = tuple[npt.NDArray[Any], ...]


class _Lessons:
    """All batches of a course of training, each by its number."""

    def __init__(self, look: Look, seed: int, batch: int, most: int, steps: range) -> None:
        self._look, self._seed, self._most = look, seed, most
        self._batch, self._steps = batch, steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: int) -> list[Arrays]:
        first = self._steps[place] * self._batch
        return [
            _arrays(lesson(self._look, self._seed, "train", index, self._most))
            for index in range(first, first + self._batch)
        ]


def batches(look: Look, seed: int, batch: int, most: int, steps: range) -> Iterator[list[Lesson]]:
    """Yield the lessons of each of ``steps``, drawn by a process beside this one.

    Step n has the scenes from n·batch on, whichever steps came before.
    """
    lessons = _Lessons(look, seed, batch, most, steps)
    loader = DataLoader(
        lessons, batch_size=None, num_workers=1, prefetch_factor=4, collate_fn=list,
        worker_init_fn=partial(_helping, os.getpid()),
    )  # fmt: skip
    for each in loader:
        yield [Lesson(*map(torch.from_numpy, arrays)) for arrays in each]


def _arrays(each: Lesson) -> Arrays:
    """Return a lesson as what travels between processes as mere bytes, with no file shared."""
    return each.picture.numpy(), each.prompts.numpy(), each.masks.numpy()


def _helping(parent: int, _: int) -> None:
    live_with(parent)
