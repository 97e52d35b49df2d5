import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from topologies.device import (
    Device,
    DeviceDocument,
    catalogue,
    device_named,
    read_catalogue,
)
from topologies.documents import DocumentError, read_document
from topologies.errors import TopologyError

DEVICE = Device("toy", "gpu", {"fp32": 1e12, "fp16": 4e12}, 10**9, 1e11, 5.0, 50.0, 0.5, 1e-5)
FIGURES = ("peak_flops_per_s", "memory_bytes", "memory_bandwidth_bytes_per_s", "idle_w", "peak_w",
           "efficiency", "launch_overhead_s")  # fmt: skip
CATALOGUE = Path(__file__).parents[2] / "topologies" / "devices.yaml"


def entry(**changes: Any) -> dict[str, Any]:
    device = {
        "name": "toy",
        "kind": "gpu",
        "peak": {"fp32": "1TFLOP/s"},
        "memory": "1GB",
        "memory_bandwidth": "1GB/s",
        "idle_power": "1W",
        "peak_power": "2W",
        "efficiency": 0.5,
        "launch_overhead": "5us",
        "sources": {"memory": "sheet"},
    }
    return {**device, **changes}


def data(*devices: dict[str, Any], **sources: Any) -> dict[str, Any]:
    known = {"sheet": {"source": "Sheet", "date": "2024-01"}, **sources}
    return {"sources": known, "devices": list(devices)}


def test_the_sustained_rate_is_peak_times_efficiency() -> None:
    assert DEVICE.flops_per_s("fp16") == 2e12


def test_a_missing_precision_names_the_device_and_the_known_ones() -> None:
    with pytest.raises(TopologyError) as caught:
        DEVICE.flops_per_s("int8")
    message = "device 'toy' has no rate for precision 'int8'; use one of fp16, fp32"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("name", "", "a name"),
        ("peak_flops_per_s", {}, "rates above 0"),
        ("peak_flops_per_s", {"fp32": 0.0}, "rates above 0"),
        ("memory_bytes", 0, "above 0"),
        ("memory_bandwidth_bytes_per_s", 0.0, "above 0"),
        ("idle_w", -1.0, "between 0 and peak_w"),
        ("idle_w", 51.0, "between 0 and peak_w"),
        ("efficiency", 0.0, "above 0 and at most 1"),
        ("efficiency", 1.1, "above 0 and at most 1"),
        ("launch_overhead_s", -1e-6, "at least 0"),
        ("price_usd_per_h", -1.0, "at least 0, or None if not rented out"),
        ("slots", 0, "at least 1"),
    ],
)
def test_a_figure_out_of_range_is_refused(field: str, value: Any, rule: str) -> None:
    with pytest.raises(TopologyError) as caught:
        replace(DEVICE, **{field: value})
    assert str(caught.value).endswith(f"{field} is {value!r}; it must be {rule}")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(TopologyError, match=r"kind 'gpus' is unknown; did you mean 'gpu'\?"):
        replace(DEVICE, kind="gpus")


def test_a_device_is_a_value() -> None:
    twin = replace(DEVICE)
    assert twin == DEVICE
    assert hash(twin) == hash(DEVICE)
    assert replace(DEVICE, slots=2) != DEVICE
    assert pickle.loads(pickle.dumps(DEVICE)) == DEVICE  # noqa: S301 - our own bytes
    assert copy.deepcopy(DEVICE) == DEVICE
    with pytest.raises(FrozenInstanceError):
        DEVICE.slots = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        DEVICE.peak_flops_per_s["fp32"] = 1.0  # type: ignore[index]


def test_a_device_keeps_its_own_copy_of_the_rates() -> None:
    rates = {"fp32": 1.0}
    device = replace(DEVICE, peak_flops_per_s=rates)
    rates["fp32"] = 2.0
    assert device.peak_flops_per_s == {"fp32": 1.0}
    assert repr(device.peak_flops_per_s) == "{'fp32': 1.0}"


def test_the_catalogue_is_broad() -> None:
    assert len(catalogue()) >= 14
    assert {device.kind for device in catalogue().values()} == {
        "phone", "sensor", "sbc", "jetson", "cpu", "gpu"}  # fmt: skip


@pytest.mark.parametrize("device", catalogue().values(), ids=lambda device: device.name)
def test_every_figure_has_a_source(device: Device) -> None:
    needed = {*FIGURES, *(["price_usd_per_h"] if device.price_usd_per_h is not None else [])}
    assert needed <= device.sources.keys()
    for source in device.sources.values():
        assert source.startswith("assumption: ") or source.endswith(")")


def test_every_source_in_the_file_is_cited() -> None:
    document = read_document(CATALOGUE)
    assert isinstance(document, dict)
    cited = {source for device in document["devices"] for source in device["sources"].values()}
    assert cited == set(document["sources"])


@pytest.mark.parametrize("device", catalogue().values(), ids=lambda device: device.name)
def test_figures_are_plausible(device: Device) -> None:
    assert "fp32" in device.peak_flops_per_s
    assert 0.2 <= device.efficiency <= 0.45
    assert 1e-6 <= device.launch_overhead_s <= 50e-6
    assert device.flops_per_s("fp32") / device.peak_w < 2e11
    assert (device.price_usd_per_h is None) == (device.kind not in {"cpu", "gpu"}) or (
        device.name == "rtx-4090"
    )


def test_rates_are_dense_not_sparse() -> None:
    # The figures with structured sparsity, as the datasheets print them, are twice these.
    assert device_named("h100-sxm").peak_flops_per_s["fp16"] == 989e12
    assert device_named("jetson-agx-orin-64gb").peak_flops_per_s["int8"] == 85e12


def test_an_unknown_device_names_the_nearest() -> None:
    with pytest.raises(TopologyError) as caught:
        device_named("jetson-nanno")
    assert str(caught.value) == "unknown device 'jetson-nanno'; did you mean 'jetson-nano'?"


@pytest.mark.parametrize("device", [DEVICE, *catalogue().values()], ids=lambda device: device.name)
def test_a_device_survives_its_document(device: Device) -> None:
    document = DeviceDocument.of(device)
    assert document.device() == device
    dumped = document.model_dump(mode="json", by_alias=True)
    assert DeviceDocument.model_validate(dumped).device() == device


def test_sources_are_written_out() -> None:
    devices = read_catalogue(data(entry()), "devices.yaml")
    assert devices["toy"].sources == {"memory_bytes": "Sheet (2024-01)"}


def test_a_source_may_be_of_one_precision() -> None:
    devices = read_catalogue(data(entry(sources={"peak.int8": "sheet"})), "devices.yaml")
    assert devices["toy"].sources == {"peak_flops_per_s.int8": "Sheet (2024-01)"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (data(entry(), entry()), "device 'toy' is given twice; rename or remove one"),
        (data(entry(sources={"memory": "shet"})),
         "device 'toy': memory has unknown source 'shet'; did you mean 'sheet'?"),
        (data(entry(memory=5)), "devices.0.memory: 5 has no unit; write it like '8KiB'"),
        (data(entry(memry="1GB")), "devices.0.memry: unknown key; did you mean 'memory'?"),
        (data(entry(), vague={"source": "Sheet"}),
         "sources.vague: give source and date, or assumption: true and reason"),
        (data(entry(), vague={"assumption": True}),
         "sources.vague: give source and date, or assumption: true and reason"),
        (data(entry(), vague={"source": "x", "date": "2024-01", "assumption": True}),
         "sources.vague: give source and date, or assumption: true and reason"),
    ],
)  # fmt: skip
def test_a_wrong_catalogue_is_refused(document: object, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_catalogue(document, "devices.yaml")
    assert str(caught.value) == f"devices.yaml: {message}"


def test_a_source_for_no_field_is_refused() -> None:
    with pytest.raises(TopologyError, match=r"sources names unknown 'memry'; did you mean"):
        read_catalogue(data(entry(sources={"memry": "sheet"})), "devices.yaml")
