"""What the edge keeps of pixels for itself, so that clouds learn less of what they do not see."""

from dataclasses import dataclass
from typing import Final, Self

from workloads.errors import WorkloadError
from workloads.stage import Stage

MOST_TREND: Final = 3
"""The highest degree that can be withheld."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """What is withheld of every window, each colour by itself; nothing where ``patches`` is 0.

    It is the mean of each square of so many ``patches`` a side, and, where ``trend`` is above 0,
    before that the polynomial in row and column of this degree that is nearest to the whole
    window's colours: of degree 1 how they rise across it. Raises `WorkloadError` for what cannot
    be.
    """

    patches: int = 0
    trend: int = 0

    def __post_init__(self) -> None:
        if self.patches < 0:
            raise WorkloadError(f"withhold: {self.patches}; give at least 1 patch, 0 for nothing")
        if not 0 <= self.trend <= MOST_TREND:
            raise WorkloadError(
                f"trend: {self.trend}; give a degree from 0, for none, to {MOST_TREND}"
            )
        if self.trend and not self.patches:
            raise WorkloadError("trend: goes with means that are withheld; give withhold, too")

    def __bool__(self) -> bool:
        return self.patches > 0

    @property
    def terms(self) -> int:
        """Numbers that the polynomial has, of each window and colour."""
        return (self.trend + 1) * (self.trend + 2) // 2 if self.trend else 0

    @property
    def settings(self) -> tuple[tuple[str, float], ...]:
        """The settings of a stage that withholds it."""
        return (("withhold", self.patches), ("trend", self.trend)) if self else ()

    @classmethod
    def by(cls, stage: Stage) -> Self:
        """Return what a stage withholds."""
        found = dict(stage.settings)
        return cls(int(found.get("withhold", 0)), int(found.get("trend", 0)))


NOTHING: Final = Withheld()
