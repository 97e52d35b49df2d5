"""What a topology file may say of carbon: a constant, steps, or a file of steps."""

import csv
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from topologies.carbon import CarbonIntensity
from topologies.documents import DocumentError, GramsPerKwh, Seconds, Strict
from topologies.errors import TopologyError

COLUMNS = ["start_s", "g_per_kwh"]


class CarbonDocument(Strict):
    """The intensity of one grid, in one of three ways, and its source."""

    constant_g_per_kwh: GramsPerKwh | None = None
    steps: tuple[tuple[Seconds, GramsPerKwh], ...] = Field(
        default=(), description="pairs of a moment, from 0s on, and the intensity from then on"
    )
    file: str = Field(default="", description=f"a CSV file with the columns {','.join(COLUMNS)}")
    period_s: Seconds | None = Field(default=None, description="after which the steps repeat")
    source: str

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [self.constant_g_per_kwh is not None, bool(self.steps), bool(self.file)]
        if sum(given) != 1:
            raise TopologyError("give exactly one of constant, steps and file")
        if given[0] and self.period_s is not None:
            raise TopologyError("a constant has no period; remove it")
        return self

    def intensity(self, folder: Path) -> CarbonIntensity:
        """Return the intensity described; a file's path is relative to `folder`."""
        if self.constant_g_per_kwh is not None:
            return CarbonIntensity((self.constant_g_per_kwh,), source=self.source)
        steps = self.steps or _read(folder / self.file)
        starts_s, values = zip(*steps, strict=True)
        return CarbonIntensity(values, starts_s, self.period_s, self.source)

    @classmethod
    def of(cls, carbon: CarbonIntensity) -> Self:
        """Return the document of an intensity, its steps written out; `intensity` undoes it."""
        if len(carbon.starts_s) == 1 and carbon.period_s is None:
            return cls.model_validate({"constant": carbon.g_per_kwh[0], "source": carbon.source})
        steps = tuple(zip(carbon.starts_s, carbon.g_per_kwh, strict=True))
        return cls.model_validate(
            {"steps": steps, "period": carbon.period_s, "source": carbon.source}
        )


def _read(path: Path) -> list[tuple[float, float]]:
    """Return the steps in a CSV file; `DocumentError` names the file, the line and the remedy."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise DocumentError(f"{path}: cannot be read: {reason}") from error
    if header != COLUMNS or not rows:
        raise DocumentError(
            f"{path}: begins with {','.join(header)!r}; write {','.join(COLUMNS)!r}, then numbers"
        )
    steps: list[tuple[float, float]] = []
    for number, row in enumerate(rows, start=2):
        try:
            start_s, g_per_kwh = map(float, row)
        except ValueError:
            raise DocumentError(
                f"{path}: line {number}: {','.join(row)!r} is no pair of numbers"
            ) from None
        steps.append((start_s, g_per_kwh))
    return steps
