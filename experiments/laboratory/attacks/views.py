"""What a coalition of clouds held of pictures, as its attackers get it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from experiments.laboratory.attacks.held import Numbers
from experiments.laboratory.attacks.pictures import Pictures, Seen
from experiments.laboratory.attacks.transcripts import Transcript


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What one coalition of clouds held of n pictures, assignment the same for all of them.

    ``transcript`` is everything it received and sent, decoded from the wire, each member's in wire
    order. ``canvas`` is what it was directly shown, put in its place, at the working size,
    and 0 elsewhere: (n, side, side, 3), from 0 to 1. ``seen`` tells which pixels that shows:
    (side, side). Raises `ValueError` for shapes that do not belong together.
    """

    transcript: Transcript
    canvas: Pictures
    seen: Seen

    def __post_init__(self) -> None:
        count, side = len(self.transcript), len(self.seen)
        wanted = {"canvas": (count, side, side, 3), "seen": (side, side)}
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"views.{name}: has shape {found}, not {shape}")

    def __len__(self) -> int:
        return len(self.transcript)

    @property
    def numbers(self) -> Numbers:
        """The transcript as features side by side, (n, features)."""
        return self.transcript.numbers

    @property
    def unseen(self) -> Seen:
        """Which pixels an attacker has to guess, (side, side)."""
        return ~self.seen

    def of(self, chosen: Any) -> "Views":
        """Return the views of some of the pictures: a slice, places or truths."""
        return Views(self.transcript.of(chosen), self.canvas[chosen], self.seen)

    def joined(self, other: "Views") -> "Views":
        """Return what two hold together: features side by side, canvases united.

        Of a pixel that both were shown, it is the first one's copy that stays.
        """
        if len(self) != len(other) or self.seen.shape != other.seen.shape:
            raise ValueError(
                f"views: {self.canvas.shape} and {other.canvas.shape} are not of the same pictures"
            )
        return Views(
            self.transcript.joined(other.transcript),
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
