"""Figures for the eye: pictures, what a cloud is shown and guesses of them, and their masks."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from experiments.laboratory.attacks.pictures import Pictures
from experiments.laboratory.attacks.views import Views
from experiments.laboratory.subjects import Masks

TILE_PX: Final = 192
_GAP_PX: Final = 6
_TITLE_PX: Final = 18
_TINT: Final = np.array([255, 60, 60], np.float32)

Colours = npt.NDArray[np.uint8]


def plate(titles: Sequence[str], rows: Sequence[Sequence[Colours]]) -> Image.Image:
    """Return tiles (side, side, 3) of any sizes below their titles, a row per picture."""
    step = TILE_PX + _GAP_PX
    whole = Image.new("RGB", (len(titles) * step, len(rows) * step + _TITLE_PX), "white")
    pencil = ImageDraw.Draw(whole)
    for column, title in enumerate(titles):
        pencil.text((column * step + 2, 3), title, fill="black")
    for down, tiles in enumerate(rows):
        for across, tile in enumerate(tiles):
            resized = Image.fromarray(tile).resize((TILE_PX, TILE_PX), Image.Resampling.NEAREST)
            whole.paste(resized, (across * step, down * step + _TITLE_PX))
    return whole


def shown(views: Views, place: int) -> Colours:
    """Return what a cloud is shown of a picture; grey where it is not."""
    canvas = np.where(views.seen[..., None], views.canvas[place], np.float32(0.5))
    return np.asarray(colours(canvas[None])[0])


def colours(pictures: Pictures) -> Colours:
    """Return pictures from 0 to 1 as bytes."""
    return np.asarray((pictures * 255).round().clip(0, 255), np.uint8)


def masked(picture: Colours, masks: Masks) -> Colours:
    """Return a picture with all that masks (n, side, side) cover tinted, more where two do."""
    over = np.minimum(masks.sum(axis=0), 2)[..., None] * np.float32(0.35)
    return np.asarray(picture * (1 - over) + _TINT * over, np.uint8)
