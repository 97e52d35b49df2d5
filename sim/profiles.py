"""Profiles: what a machine was measured to take, as ``tessera calibrate`` leaves it in a file.

One row per stage that was measured, with what the stage is (`Measured`) and how long it took.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import yaml
from pydantic import Field, model_validator

from sim.errors import ScenarioError
from topologies.documents import Seconds, Strict, parse, read_document
from topologies.quantities import Quantity
from topologies.writing import write_text
from workloads.stage import Stage

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False), Quantity("size")]

Key = tuple[str, float, float, int]
"""What tells stages apart as far as their cost goes: kind, flops, memory bytes, launches."""


class Measured(Strict):
    """One stage and how long it took: median and quartiles of ``repetitions`` timings.

    ``windows`` is how many parts of the input it ran on (0: all), ``blocks`` which transformer
    blocks it ran; they are for the reader, since what a stage costs goes by its amounts of work.
    """

    kind: Annotated[str, Field(min_length=1)]
    flops: Amount
    memory_bytes: Size
    launches: Count
    windows: Count = 0
    blocks: tuple[Count, ...] = ()
    median_s: Annotated[Seconds, Field(gt=0)]
    q1_s: Seconds
    q3_s: Seconds
    repetitions: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.q1_s <= self.median_s <= self.q3_s:
            raise ValueError(f"{self.kind}: give q1, median and q3 in ascending order")
        return self

    @property
    def key(self) -> Key:
        """What tells it apart from other rows."""
        return (self.kind, self.flops, self.memory_bytes, self.launches)

    @classmethod
    def of(cls, stage: Stage, seconds: Iterable[float]) -> Self:
        """Return the row of ``stage`` for these timings, kept to the nanosecond."""
        timed_s = np.array(list(seconds))
        low_s, middle_s, high_s = np.quantile(timed_s, (0.25, 0.5, 0.75))
        values = {
            "kind": stage.kind,
            "flops": stage.flops,
            "memory": stage.memory_bytes,
            "launches": stage.launches,
            "windows": len(stage.shard),
            "blocks": stage.blocks,
            "median": round(float(middle_s), 9),
            "q1": round(float(low_s), 9),
            "q3": round(float(high_s), 9),
            "repetitions": len(timed_s),
        }
        return cls.model_validate(values)


class Profile(Strict):
    """What one device was measured to take, and how that was measured.

    ``device`` names what computed, ``host`` the processor of its machine, ``threads`` bounds the
    arithmetic there, ``dtype`` is that of the arithmetic, ``precision`` the one at which the rows
    count bytes, ``source`` what was run to measure it.
    """

    device: str
    host: str
    threads: Annotated[int, Field(ge=1)]
    dtype: str
    precision: str
    torch: str
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    source: str
    rows: Annotated[tuple[Measured, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        seen: set[Key] = set()
        for number, row in enumerate(self.rows):
            if row.key in seen:
                raise ValueError(f"rows.{number}: {row.kind} of this size is given twice; keep one")
            seen.add(row.key)
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of stage that were measured, in order of their first row."""
        return tuple(dict.fromkeys(row.kind for row in self.rows))


def read_profile(path: Path) -> Profile:
    """Return the profile in a YAML or JSON file.

    Raises `topologies.documents.DocumentError`, in one line, for a file that is none.
    """
    return parse(Profile, read_document(path), str(path))


def write_profile(profile: Profile, path: Path) -> None:
    """Write a profile, whole or not at all: JSON if so named, else YAML.

    `read_profile` undoes it. Raises `topologies.documents.DocumentError` where it cannot.
    """
    data = profile.model_dump(mode="json", by_alias=True)
    if path.suffix == ".json":
        text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    else:
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=200)
    write_text(text, path)


def merged(earlier: Profile, later: Profile, place: str) -> Profile:
    """Return ``later`` with the rows of kinds that only ``earlier`` has.

    Raises `ScenarioError`, naming ``place``, where the two were not measured alike.
    """
    for name in ("device", "host", "threads", "dtype", "precision", "torch"):
        old, new = getattr(earlier, name), getattr(later, name)
        if old != new:
            raise ScenarioError(
                f"{place}: was measured with {name} {old!r}, this with {new!r}; they do not belong "
                "into one profile: choose another file"
            )
    kept = tuple(row for row in earlier.rows if row.kind not in later.kinds)
    return later.model_copy(update={"rows": kept + later.rows})
