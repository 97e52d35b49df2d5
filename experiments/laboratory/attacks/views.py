"""What a coalition of clouds held of pictures, as its attackers get it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.laboratory.attacks.pictures import Pictures, Seen

Numbers = npt.NDArray[np.float32]
"""(n, features)"""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What one coalition of clouds held of n pictures, assignment the same for all of them.

    ``numbers`` is everything it received, decoded from the wire, in wire order, flattened:
    (n, features). ``canvas`` is what it was directly shown, put in its place, at the working size,
    and 0 elsewhere: (n, side, side, 3), from 0 to 1. ``seen`` tells which pixels that shows:
    (side, side). Raises `ValueError` for shapes that do not belong together.
    """

    numbers: Numbers
    canvas: Pictures
    seen: Seen

    def __post_init__(self) -> None:
        count, side = len(self.numbers), len(self.seen)
        wanted = {"numbers": 2, "canvas": (count, side, side, 3), "seen": (side, side)}
        for name, shape in wanted.items():
            value = getattr(self, name)
            if shape not in (value.shape, value.ndim):
                raise ValueError(f"views.{name}: has shape {value.shape}, not {shape}")

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def unseen(self) -> Seen:
        """Which pixels an attacker has to guess, (side, side)."""
        return ~self.seen

    def of(self, chosen: Any) -> "Views":
        """Return the views of some of the pictures: a slice, places or truths."""
        return Views(self.numbers[chosen], self.canvas[chosen], self.seen)

    def joined(self, other: "Views") -> "Views":
        """Return what two hold together: features side by side, canvases united.

        Of a pixel that both were shown, it is the first one's copy that stays.
        """
        if len(self) != len(other) or self.seen.shape != other.seen.shape:
            raise ValueError(
                f"views: {self.canvas.shape} and {other.canvas.shape} are not of the same pictures"
            )
        return Views(
            np.concatenate([self.numbers, other.numbers], axis=1),
            np.where(self.seen[..., None], self.canvas, other.canvas),
            self.seen | other.seen,
        )

    def completed(self, guessed: Pictures) -> Pictures:
        """Return guessed pictures, or one for all of them, with what was shown copied in."""
        held = np.where(self.seen[..., None], self.canvas, guessed)
        return np.clip(held, 0, 1).astype(np.float32, copy=False)


def united(parts: Iterable[Views]) -> Views:
    """Return what all parts hold together: those of a coalition (A7), or of many frames (A8)."""
    return reduce(Views.joined, parts)
