"""What clouds are shown in the clear: no attacker is needed for it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.laboratory.attacks.metrics import Scores
from experiments.laboratory.attacks.pictures import Seen, enlarged

Owners = npt.NDArray[np.int8]
"""As `workloads.scenes.Scene` has them: which object each pixel belongs to, or -1."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one view shows: a fraction of the pixels, and of the objects more than half or so.

    ``half`` and ``most`` are the fractions of ``objects`` of whose visible pixels the view shows
    at least 50 % and 90 %.
    """

    pixels: float
    objects: int
    half: float
    most: float


def shown_of_objects(owners: Owners, seen: Seen) -> Scores:
    """Return the fraction of each object's visible pixels that a view shows, (objects,).

    ``seen`` may be smaller than ``owners``, (length, length), by a whole factor; a pixel of it
    then stands for all of that area. Else raises `ValueError`.
    """
    within = enlarged(seen, len(owners)) & (owners >= 0)
    total = np.bincount(owners[owners >= 0].astype(np.int64))
    found = np.bincount(owners[within].astype(np.int64), minlength=len(total))
    return np.asarray(found[total > 0] / total[total > 0])


def exposure(scenes: Iterable[Owners], seen: Seen) -> Exposure:
    """Return what one view shows of many scenes; `ValueError` where they have no object."""
    shown = np.concatenate([np.empty(0), *(shown_of_objects(owners, seen) for owners in scenes)])
    if not len(shown):
        raise ValueError("scenes: there is no object in them")
    half, most = (float((shown >= part).mean()) for part in (0.5, 0.9))
    return Exposure(float(seen.mean()), len(shown), half, most)
