"""Measured service times: what a machine was seen to take, and what follows for stages between.

A `Profile` is what ``tessera calibrate`` leaves: one row per stage that was measured, with what
the stage is (`Measured`) and how long it took. `Calibrated` is the cost model made from profiles:
a stage that was measured costs its median; any other of a kind that was measured is priced by a
`Fit`, that kind's seconds as a sum of what it costs per floating-point operation, per byte, per
kernel launch and per call; no coefficient is negative.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Final, Self

import numpy as np
import yaml
from pydantic import Field, model_validator

from sim.cost import CostModel, Roofline
from sim.errors import ScenarioError
from topologies.device import Device
from topologies.documents import Seconds, Strict, parse, read_document
from topologies.frozen import FrozenMap
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


@dataclass(frozen=True, slots=True)
class Fit:
    """Seconds of one kind of stage, linear in its amounts of work; no coefficient is negative.

    ``residuals`` has, per measured row, the fitted over the measured time, less 1.
    """

    kind: str
    s_per_flop: float
    s_per_byte: float
    s_per_launch: float
    constant_s: float
    residuals: tuple[float, ...]

    def seconds(self, stage: Stage) -> float:
        """Predict the service time of a stage of this kind."""
        return (
            self.s_per_flop * stage.flops
            + self.s_per_byte * stage.memory_bytes
            + self.s_per_launch * stage.launches
            + self.constant_s
        )

    @property
    def median_error(self) -> float:
        """The median of the residuals' magnitudes."""
        return median(map(abs, self.residuals))

    @property
    def worst_error(self) -> float:
        """The largest of the residuals' magnitudes."""
        return max(map(abs, self.residuals))


def fit(kind: str, rows: Iterable[Measured]) -> Fit:
    """Return the fit of least squares of relative errors to the rows of one kind.

    By non-negative least squares (Lawson, Hanson 1974, chapter 23): times are sums of parts that
    cannot be negative. Where rows are too few to tell parts apart, the first of flops, bytes,
    launches and calls that explains them does.
    """
    measured = list(rows)
    work = np.array([(row.flops, row.memory_bytes, row.launches, 1.0) for row in measured])
    relative = work / np.array([[row.median_s] for row in measured])
    found = nonnegative(relative, np.ones(len(measured)))
    residuals = tuple((relative @ found - 1.0).tolist())
    per_flop, per_byte, per_launch, constant = found.tolist()
    return Fit(kind, per_flop, per_byte, per_launch, constant, residuals)


def nonnegative(matrix: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return x of least squares of ``matrix @ x - wanted``, no entry of it negative.

    Columns are scaled to norm 1 first: their units differ by twelve orders of magnitude.
    """
    from scipy.optimize import nnls  # noqa: PLC0415 - slow to import, and few need it

    norms = np.linalg.norm(matrix, axis=0)
    scale = np.where(norms > 0, norms, 1.0)
    found, _ = nnls(matrix / scale, wanted)
    return np.asarray(found / scale)


def fits(profile: Profile) -> dict[str, Fit]:
    """Return the fit of each kind that the profile has."""
    return {
        kind: fit(kind, (row for row in profile.rows if row.kind == kind)) for kind in profile.kinds
    }


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Measured times for the devices that have a profile, by device name; else ``fallback``.

    ``places`` names the file that a device's profile came from, for messages. A kind that its
    device's profile lacks, and a stage at another precision than the profile's, is a
    `ScenarioError`.
    """

    profiles: Mapping[str, Profile]
    fallback: CostModel = field(default_factory=Roofline)
    places: Mapping[str, str] = field(default_factory=dict, compare=False)
    _prices: Mapping[str, "_Prices"] = field(init=False, compare=False, repr=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "profiles", FrozenMap(self.profiles))
        object.__setattr__(self, "places", FrozenMap(self.places))
        prices = {
            name: _Prices(profile, name, self.places.get(name, f"the profile of {name!r}"))
            for name, profile in self.profiles.items()
        }
        object.__setattr__(self, "_prices", FrozenMap(prices))
        object.__setattr__(self, "_hash", hash((self.profiles, self.fallback)))

    def __hash__(self) -> int:
        return self._hash

    def seconds(self, stage: Stage, device: Device) -> float:
        """Return the measured or fitted service time in seconds."""
        prices = self._prices.get(device.name)
        return self.fallback.seconds(stage, device) if prices is None else prices[stage]


_MOST_PRICES: Final = 65_536


class _Prices(dict[Stage, float]):
    """The price of each stage asked for so far; policies ask again and again."""

    def __init__(self, profile: Profile, device: str, place: str) -> None:
        super().__init__()
        self._profile = profile
        self._device = device
        self._place = place
        self._medians_s = {row.key: row.median_s for row in profile.rows}
        self._fits: dict[str, Fit] = {}

    def __missing__(self, stage: Stage) -> float:
        if len(self) >= _MOST_PRICES:
            self.clear()
        price_s = self[stage] = self._price_s(stage)
        return price_s

    def _price_s(self, stage: Stage) -> float:
        self._check(stage)
        key = (stage.kind, stage.flops, stage.memory_bytes, stage.launches)
        measured_s = self._medians_s.get(key)
        return self._fit(stage.kind).seconds(stage) if measured_s is None else measured_s

    def _fit(self, kind: str) -> Fit:
        if kind not in self._fits:
            self._fits[kind] = fit(kind, (row for row in self._profile.rows if row.kind == kind))
        return self._fits[kind]

    def _check(self, stage: Stage) -> None:
        if stage.kind not in self._profile.kinds:
            raise ScenarioError(
                f"cost: device {self._device!r}: {self._place} has no measurement of "
                f"{stage.kind!r}; measure it with: tessera calibrate --model MODEL --stages "
                f"{stage.kind} --out {self._place}"
            )
        if stage.precision != self._profile.precision:
            raise ScenarioError(
                f"cost: device {self._device!r}: {self._place} was measured at "
                f"{self._profile.precision}, but {stage.kind!r} is at {stage.precision}; set "
                f"workload.precision to {self._profile.precision}, or measure anew with "
                f"--dtype {stage.precision}"
            )
