"""Measured service times: what follows from profiles for the stages between those measured.

`Calibrated` is the cost model made from profiles (`sim.profiles`): a stage that was measured costs
its median; any other of a kind that was measured is priced by a `Fit`, that kind's seconds as a sum
of what it costs per floating-point operation, per byte, per kernel launch and per call; no
coefficient is negative.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import numpy as np

from sim.cost import CostModel, Roofline
from sim.errors import ScenarioError
from sim.profiles import Measured, Profile
from topologies.device import Device
from topologies.frozen import FrozenMap
from workloads.stage import Stage


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
