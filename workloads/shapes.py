"""Silhouettes of drawn scenes: which pixels of a square belong to a shape."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Mask = npt.NDArray[np.bool_]
"""Which pixels belong to something, (side, side)."""
Points = npt.NDArray[np.float64]
"""Positions x, y in pixels, (points, 2)."""

_CORNERS = (3, 8)
_ARCS = (4, 7)
_STEPS = 12
"""Straight pieces of one arc."""
_LEAST_REACH = 0.35


def ellipse(generator: np.random.Generator, reach_px: float) -> Points:
    """Return the outline of an ellipse around 0, at most ``reach_px`` from there."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    flat = generator.uniform(_LEAST_REACH, 1.0)
    outline = np.stack([np.cos(angles), flat * np.sin(angles)], axis=1) * reach_px
    return turned(outline, generator.uniform(0, 2 * np.pi))


def polygon(generator: np.random.Generator, reach_px: float) -> Points:
    """Return the corners of a star-shaped polygon around 0."""
    count = int(generator.integers(_CORNERS[0], _CORNERS[1] + 1))
    return _around(generator, count, reach_px)


def blob(generator: np.random.Generator, reach_px: float) -> Points:
    """Return a smooth closed outline around 0: cubic Bézier arcs whose tangents meet.

    The arcs go through the corners of a polygon, each with the tangent that is parallel to the way
    from the corner before to the one after (Catmull and Rom 1974).
    """
    count = int(generator.integers(_ARCS[0], _ARCS[1] + 1))
    corners = _around(generator, count, reach_px)
    tangents = (np.roll(corners, -1, axis=0) - np.roll(corners, 1, axis=0)) / 6
    controls = np.stack(
        [corners, corners + tangents, np.roll(corners - tangents, -1, 0), np.roll(corners, -1, 0)]
    )
    t = np.linspace(0, 1, _STEPS, endpoint=False)
    weights = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    outline: Points = np.einsum("kt,kcd->ctd", weights, controls).reshape(-1, 2)
    return outline


def plate(generator: np.random.Generator, reach_px: float) -> Points:
    """Return the corners of a rectangle around 0 that is upright but for a few degrees."""
    half = np.array([reach_px, reach_px * generator.uniform(0.35, 0.5)])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return turned(corners, generator.uniform(-0.35, 0.35))


def turned(points: Points, angle: float) -> Points:
    """Return points turned around 0."""
    cos, sin = math.cos(angle), math.sin(angle)
    result: Points = points @ np.array([[cos, sin], [-sin, cos]])
    return result


def filled(outline: Points, side_px: int) -> Mask:
    """Return the pixels of a square that lie within an outline."""
    canvas = Image.new("1", (side_px, side_px))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in outline], fill=1)
    return np.array(canvas)


def lettered(text: str, corners: Points, side_px: int) -> Mask:
    """Return the pixels of a text that fills most of the plate with these corners."""
    width = float(np.linalg.norm(corners[1] - corners[0]))
    height = float(np.linalg.norm(corners[2] - corners[1]))
    page = Image.new("L", (max(1, round(width)), max(1, round(height))))
    font = _font(max(6, round(min(0.8 * height, 1.5 * width / len(text)))))
    middle = (page.width / 2, page.height / 2)
    ImageDraw.Draw(page).text(middle, text, fill=255, font=font, anchor="mm")
    right, down = (corners[1] - corners[0]) / width, (corners[3] - corners[0]) / height
    to_page = np.linalg.inv(np.stack([right, down], axis=1))
    offset = -to_page @ corners[0]
    parts = (*to_page[0], offset[0], *to_page[1], offset[1])
    canvas = page.transform(
        (side_px, side_px), Image.Transform.AFFINE, parts, Image.Resampling.BILINEAR
    )
    lit: Mask = np.asarray(canvas) > 127
    return lit


@lru_cache(maxsize=64)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _around(generator: np.random.Generator, count: int, reach_px: float) -> Points:
    """Return points around 0, each in a sector of its own."""
    angles = (np.arange(count) + generator.uniform(0.2, 0.8, count)) * (2 * np.pi / count)
    reaches = generator.uniform(_LEAST_REACH + 0.15, 1.0, count) * reach_px
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * reaches[:, None]
