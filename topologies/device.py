"""What a machine can do: one profile per device, every figure with its source.

The profiles are data (`devices.yaml`); this module is their contract. Rates are dense peaks;
what a transformer really gets is `efficiency` of them, an assumption until it is measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import as_file, files
from typing import Final, Literal, get_args

from pydantic import Field

from topologies.documents import (
    Bytes,
    BytesPerS,
    DocumentError,
    FlopsPerS,
    Seconds,
    Strict,
    UsdPerHour,
    Watts,
    parse,
    read_document,
)
from topologies.errors import TopologyError, suggestion
from topologies.frozen import FrozenMap

DeviceKind = Literal["phone", "sensor", "sbc", "jetson", "cpu", "gpu"]
KINDS: Final[tuple[str, ...]] = get_args(DeviceKind)


@dataclass(frozen=True, slots=True)
class Device:
    """A compute profile.

    `peak_flops_per_s` maps a precision ('fp32', 'fp16', 'int8', …) to the dense peak, counting a
    multiply-add as two. `efficiency` is the fraction of it sustained on transformer matrix
    products, `launch_overhead_s` the fixed time per kernel, `slots` how many stages run at once.
    `sources` says per field where its figure comes from.

    Raises TopologyError: a figure out of its range, or an unknown kind.
    """

    name: str
    kind: DeviceKind
    peak_flops_per_s: Mapping[str, float]
    memory_bytes: int
    memory_bandwidth_bytes_per_s: float
    idle_w: float
    peak_w: float
    efficiency: float
    launch_overhead_s: float
    price_usd_per_h: float | None = None
    slots: int = 1
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "peak_flops_per_s", FrozenMap(self.peak_flops_per_s))
        object.__setattr__(self, "sources", FrozenMap(self.sources))
        if self.kind not in KINDS:
            raise TopologyError(
                f"device {self.name!r}: kind {self.kind!r} is unknown; "
                + suggestion(self.kind, KINDS)
            )
        for name, holds, rule in _rules(self):
            if not holds:
                value = getattr(self, name)
                raise TopologyError(f"device {self.name!r}: {name} is {value!r}; it must be {rule}")

    def flops_per_s(self, precision: str) -> float:
        """Return the sustained rate: peak times efficiency.

        Raises TopologyError: the device has no rate for this precision.
        """
        if precision not in self.peak_flops_per_s:
            known = ", ".join(sorted(self.peak_flops_per_s))
            raise TopologyError(
                f"device {self.name!r} has no rate for precision {precision!r}; use one of {known}"
            )
        return self.peak_flops_per_s[precision] * self.efficiency


def _rules(device: Device) -> tuple[tuple[str, bool, str], ...]:
    peaks = device.peak_flops_per_s.values()
    price = device.price_usd_per_h
    return (
        ("name", bool(device.name), "a name"),
        ("peak_flops_per_s", bool(peaks) and all(p > 0 for p in peaks), "rates above 0"),
        ("memory_bytes", device.memory_bytes > 0, "above 0"),
        ("memory_bandwidth_bytes_per_s", device.memory_bandwidth_bytes_per_s > 0, "above 0"),
        ("idle_w", 0 <= device.idle_w <= device.peak_w, "between 0 and peak_w"),
        ("efficiency", 0 < device.efficiency <= 1, "above 0 and at most 1"),
        ("launch_overhead_s", device.launch_overhead_s >= 0, "at least 0"),
        ("price_usd_per_h", price is None or price >= 0, "at least 0, or None if not rented out"),
        ("slots", device.slots >= 1, "at least 1"),
    )


class DeviceDocument(Strict):
    """A device as a file gives it: keys without units, values with them."""

    name: str
    kind: DeviceKind
    peak_flops_per_s: dict[str, FlopsPerS]
    memory_bytes: Bytes
    memory_bandwidth_bytes_per_s: BytesPerS
    idle_w: Watts = Field(alias="idle_power")
    peak_w: Watts = Field(alias="peak_power")
    efficiency: float
    launch_overhead_s: Seconds
    price_usd_per_h: UsdPerHour | None = None
    slots: int = 1
    sources: dict[str, str] = Field(
        default={}, description="per key of this device (also peak.int8 and the like): its source"
    )

    def device(self) -> Device:
        """Return the device described; its `sources` name fields as `Device` does."""
        fields = type(self).model_fields
        names = {info.alias or name: name for name, info in fields.items()}
        sources = {}
        for key, source in self.sources.items():
            head, dot, precision = key.partition(".")
            if head not in names:
                remedy = suggestion(head, names)
                raise TopologyError(
                    f"device {self.name!r}: sources names unknown {key!r}; {remedy}"
                )
            sources[f"{names[head]}{dot}{precision}"] = source
        return Device(**{**{name: getattr(self, name) for name in fields}, "sources": sources})

    @classmethod
    def of(cls, device: Device) -> "DeviceDocument":
        """Return the document of a device; `device()` undoes it."""
        fields = cls.model_fields
        sources = {}
        for name, source in device.sources.items():
            head, dot, precision = name.partition(".")
            sources[f"{fields[head].alias or head}{dot}{precision}"] = source
        values = {info.alias: getattr(device, name) for name, info in fields.items()}
        peaks = dict(device.peak_flops_per_s)
        return cls.model_validate({**values, "peak": peaks, "sources": sources})


class Source(Strict):
    """Where figures come from: a document with its date, or an assumption with its reason."""

    source: str = ""
    date: str = Field(default="", pattern=r"^(\d{4}(-\d{2}){0,2})?$")
    assumption: bool = False
    reason: str = ""

    def text(self, place: str) -> str:
        """Return "title (date)" or "assumption: reason"; `place` names this source in errors."""
        if self.assumption and self.reason and not self.source:
            return f"assumption: {self.reason}"
        if self.source and self.date and not self.assumption:
            return f"{self.source} ({self.date})"
        raise DocumentError(f"{place}: give source and date, or assumption: true and reason")


class Catalogue(Strict):
    """A file of devices whose `sources` are keys of the shared table of sources."""

    sources: dict[str, Source]
    devices: list[DeviceDocument]


def read_catalogue(data: object, place: str) -> Mapping[str, Device]:
    """Return the devices of a catalogue's plain objects by name, sources written out.

    Raises DocumentError: data that do not fit, a device given twice, a source not in the table.
    """
    document = parse(Catalogue, data, place)
    texts = {key: s.text(f"{place}: sources.{key}") for key, s in document.sources.items()}
    devices: dict[str, Device] = {}
    for entry in document.devices:
        where = f"{place}: device {entry.name!r}"
        if entry.name in devices:
            raise DocumentError(f"{where} is given twice; rename or remove one")
        for key, source in entry.sources.items():
            if source not in texts:
                remedy = suggestion(source, texts)
                raise DocumentError(f"{where}: {key} has unknown source {source!r}; {remedy}")
        cited = {key: texts[source] for key, source in entry.sources.items()}
        devices[entry.name] = entry.model_copy(update={"sources": cited}).device()
    return FrozenMap(devices)


@cache
def catalogue() -> Mapping[str, Device]:
    """Return the shipped devices by name."""
    with as_file(files("topologies").joinpath("devices.yaml")) as path:
        return read_catalogue(read_document(path), path.name)


def device_named(name: str) -> Device:
    """Return a shipped device.

    Raises TopologyError: no such device; names the nearest.
    """
    if name not in catalogue():
        raise TopologyError(f"unknown device {name!r}; {suggestion(name, catalogue())}")
    return catalogue()[name]
