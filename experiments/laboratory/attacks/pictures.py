"""Pictures at the size that attackers work at, and the pixels of them that somebody was shown."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from workloads.scenes import Picture

Pictures = npt.NDArray[np.float32]
"""The truth, or what is taken for it: (n, side, side, 3), from 0 to 1."""

Seen = npt.NDArray[np.bool_]
"""Which of the working pixels a cloud was shown: (side, side)."""

SIDE_PX: Final = 64
"""The working size."""


def averaged(pictures: Sequence[Picture], side_px: int = SIDE_PX) -> Pictures:
    """Return pictures, (length, length, 3) of bytes each, at the working size: means of areas.

    Raises `ValueError` where the length is no multiple of ``side_px``.

    >>> averaged([np.full((4, 4, 3), 51, np.uint8)], 2)[0, 0, 0].tolist()
    [0.20000000298023224, 0.20000000298023224, 0.20000000298023224]
    """
    return np.stack([_means(picture, side_px) / 255 for picture in pictures]).astype(np.float32)


def shown(mask: npt.NDArray[np.bool_], side_px: int = SIDE_PX) -> Seen:
    """Return the working pixels of which a mask, (length, length), has the whole area.

    Of a pixel shown in part, an attacker has the rest to find.
    """
    return np.asarray(_areas(mask, side_px).all(axis=(1, 3)))


def enlarged(seen: Seen, side_px: int) -> Seen:
    """Return a mask at a larger size; `ValueError` where that is no multiple of its own."""
    times, rest = divmod(side_px, len(seen))
    if rest or not times:
        raise ValueError(f"side_px: {side_px} is no multiple of the mask's {len(seen)} pixels")
    return seen.repeat(times, axis=0).repeat(times, axis=1)


def _means(picture: Picture, side_px: int) -> npt.NDArray[np.float64]:
    """Return the means of areas: whole rows are added first, which numpy does quickest."""
    areas = _areas(picture, side_px)
    side, per = areas.shape[:2]
    rows = areas.reshape(side, per, -1).sum(axis=1, dtype=np.uint32)
    return np.asarray(rows.reshape(side, side, per, 3).sum(axis=2) / per**2)


def _areas(picture: npt.NDArray[np.generic], side_px: int) -> npt.NDArray[np.generic]:
    """Return (side, per, side, per, …): the pixels of which each working pixel is the area."""
    per, rest = divmod(len(picture), side_px)
    if rest or not per:
        raise ValueError(f"side_px: {side_px} does not divide the picture's {len(picture)} pixels")
    return picture.reshape(side_px, per, side_px, per, *picture.shape[2:])
