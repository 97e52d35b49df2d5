"""Pictures that models are examined on: drawn scenes, or a user's own, with prompts on them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures
from PIL import UnidentifiedImageError

from experiments.laboratory.training.lessons import PROMPTINGS, Prompting, box_prompt, point_prompt
from workloads.errors import WorkloadError
from workloads.scenes import Look, Split, box_around, point_in, scene

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
GRID: Final = 4
"""Points along each side of a picture of which no masks are known."""

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A picture and the prompts on it.

    ``picture`` is uint8 (height, width, 3); ``prompts`` float32 (prompts, 2, 3), as
    `real_runner.shards.decoder` takes them, each of one of ``kinds``; ``masks``, bool (prompts,
    height, width), are those that are wanted, where that is known.
    """

    name: str
    picture: npt.NDArray[np.uint8]
    prompts: npt.NDArray[np.float32]
    kinds: tuple[Prompting, ...]
    masks: Masks | None


def drawn(look: Look, seed: int, split: Split, index: int) -> Subject:
    """Return a drawn scene with a point and a box on each of its objects, none by chance."""
    found = scene(look, seed, split, index)
    masks = [found.mask(number) for number in range(len(found.things))]
    return _with_objects(f"{split}-{index}", found.picture, masks)


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder, by name; `WorkloadError` where there is none."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise WorkloadError(f"{folder}: cannot be read ({error.strerror}); name another") from error
    if not paths:
        raise WorkloadError(f"{folder}: holds no picture ({', '.join(SUFFIXES)}); name another")
    return paths


def photographed(folder: Path, masks: Path | None = None) -> Iterator[Subject]:
    """Yield the pictures of a folder, by name.

    ``masks`` is a folder with a picture of the same name (``.png``) for each: its colours are
    numbers, 0 where there is nothing, another number for each object. Without it there is a grid of
    points on each. Raises `WorkloadError` for what cannot be read.
    """
    for path in pictures_in(folder):
        picture = np.asarray(_opened(path).convert("RGB"))
        if masks is None:
            yield _with_grid(path.name, picture)
            continue
        objects = _objects(masks / f"{path.stem}.png", picture.shape[:2])
        yield _with_objects(path.name, picture, objects)


def _with_objects(name: str, picture: Any, masks: Sequence[Masks]) -> Subject:
    prompts = [point_prompt(*point_in(mask)) for mask in masks]
    prompts += [box_prompt(*box_around(mask)) for mask in masks]
    kinds = tuple(kind for kind in PROMPTINGS for _ in masks)
    return Subject(name, picture, np.array(prompts, np.float32), kinds, np.stack([*masks, *masks]))


def _with_grid(name: str, picture: Any) -> Subject:
    height, width = picture.shape[:2]
    places = (np.arange(GRID) + 0.5) / GRID
    prompts = [point_prompt(x * width, y * height) for y in places for x in places]
    kind: Prompting = "point"
    return Subject(name, picture, np.array(prompts, np.float32), (kind,) * len(prompts), None)


def _opened(path: Path) -> Pictures.Image:
    try:
        picture = Pictures.open(path)
        picture.load()
    except (OSError, UnidentifiedImageError) as error:
        raise WorkloadError(f"{path}: is no picture that can be read ({error})") from error
    return picture


def _objects(path: Path, shape: tuple[int, ...]) -> list[Masks]:
    numbers = np.asarray(_opened(path))
    if numbers.ndim != 2 or numbers.shape != shape:
        raise WorkloadError(
            f"{path}: numbers of shape {numbers.shape}; give one number per pixel, as many as the "
            f"picture has ({shape[0]} x {shape[1]})"
        )
    there = [number for number in np.unique(numbers) if number]
    if not there:
        raise WorkloadError(f"{path}: shows no object; leave this picture out")
    return [numbers == number for number in there]
