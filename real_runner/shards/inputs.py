"""Pictures to run on where a user gives none: drawn by seed, with prompts that point into them."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures
from PIL import ImageDraw

from workloads.sam.model import Sam

SHAPES = 12
COARSE_PX = 8
"""Side of the smallest grid that a smooth background is stretched from."""


def captured(model: Sam, seed: int, index: int) -> tuple[bytes, npt.NDArray[np.float32]]:
    """Return the ``index``-th picture of a seed as its file, and the prompts on it.

    The picture has the size and the encoding of ``model.image``: a smooth background, shapes with
    sharp edges before it, and noise, so that it compresses like a photo. Prompts are
    (prompts, 2, 3) as `real_runner.shards.sam` describes them: in turn a point inside a shape,
    with its padding, and a box around one.
    """
    generator = np.random.default_rng([seed, index])
    size = (model.image.width_px, model.image.height_px)
    coarse = generator.integers(0, 256, (COARSE_PX, COARSE_PX, 3), dtype=np.uint8)
    picture = Pictures.fromarray(coarse).resize(size, Pictures.Resampling.BICUBIC)
    boxes = _draw_shapes(picture, generator)
    noisy = Pictures.fromarray(_with_noise(np.asarray(picture), generator))
    chosen = boxes[np.arange(model.prompts) % len(boxes)]
    return _file(noisy, model.image.encoding), _prompts(chosen)


def _draw_shapes(
    picture: Pictures.Image, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draw ellipses and rectangles; return the box around each, (shapes, 4), in pixels."""
    size = np.array(picture.size)
    centres = generator.uniform(0.15, 0.85, (SHAPES, 2)) * size
    reaches = generator.uniform(0.03, 0.14, (SHAPES, 2)) * size
    boxes = np.hstack([centres - reaches, centres + reaches])
    pencil = ImageDraw.Draw(picture)
    for number, box in enumerate(boxes.tolist()):
        colour = tuple(generator.integers(0, 256, 3).tolist())
        (pencil.ellipse if number % 2 else pencil.rectangle)(box, fill=colour)
    return boxes[::-1].astype(np.float32)  # the last one drawn lies on top


def _with_noise(
    colours: npt.NDArray[np.uint8], generator: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Return colours with noise of up to 8 steps; one random byte per sample is all it takes."""
    noise = generator.integers(-8, 9, colours.shape, dtype=np.int16)
    noisy: npt.NDArray[np.int16] = np.clip(colours + noise, 0, 255)
    return noisy.astype(np.uint8)


def _prompts(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    prompts = np.zeros((len(boxes), 2, 3), dtype=np.float32)
    points = (boxes[:, :2] + boxes[:, 2:]) / 2
    prompts[::2, 0, :2], prompts[::2, :, 2] = points[::2], (1, -1)
    prompts[1::2, 0, :2], prompts[1::2, 1, :2] = boxes[1::2, :2], boxes[1::2, 2:]
    prompts[1::2, :, 2] = (2, 3)
    return prompts


def _file(picture: Pictures.Image, encoding: str) -> bytes:
    if encoding == "raw":
        return picture.tobytes()
    file = BytesIO()
    picture.save(file, encoding, quality=90)
    return file.getvalue()
