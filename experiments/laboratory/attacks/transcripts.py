"""All that a coalition received and sent of many pictures."""

from functools import cached_property
from typing import Any, Self

import numpy as np

from experiments.laboratory.attacks.components import Components
from experiments.laboratory.attacks.held import Held, Matrix, Numbers


class Transcript:
    """What each member held of the same n pictures, n rows each, in the members' order."""

    def __init__(self, *members: Held) -> None:
        self.members = members

    @classmethod
    def of_numbers(cls, numbers: Numbers) -> Self:
        """Return that of one cloud, (n, features)."""
        return cls(Held(numbers))

    def __len__(self) -> int:
        return len(self.members[0].numbers)

    @property
    def numbers(self) -> Numbers:
        """All of it side by side, (n, features)."""
        return np.concatenate([each.numbers for each in self.members], axis=1)

    @property
    def scales(self) -> Matrix:
        """One over the deviation of each feature, (features,), or 0 where that is none."""
        return np.concatenate([each.standard[1] for each in self.members])

    @cached_property
    def components(self) -> Components:
        """Its principal components, worked out when they are first asked for."""
        return Components(self.members)

    def scores(self, by: Components) -> Matrix:
        """Return it in the coordinates of components of the same members' transcript, (n, …)."""
        return by.scores(self.members)

    def of(self, chosen: Any) -> "Transcript":
        """Return what was held of some of the pictures: a slice, places or truths."""
        return Transcript(*(Held(each.numbers[chosen]) for each in self.members))

    def joined(self, other: "Transcript") -> "Transcript":
        """Return what two coalitions hold together."""
        return Transcript(*self.members, *other.members)
