"""The catalogue of devices, every figure with its source."""

from reference.prose import code, table
from topologies.device import Device, catalogue

_OPENING = """# Devices

What a topology may name as `device`. Rates are dense peaks; what is sustained is `efficiency`
of them, an assumption until it is measured (see [Compute](../models/compute.md)). Below each
device stands where its figures come from.
"""


def page() -> str:
    """Return the page: one table of all, then the sources of each."""
    devices = catalogue()
    head = ("device", "kind", "TFLOP/s", "sustained", "GiB", "GB/s", "idle to peak W", "USD/h")
    overview = table(head, (_row(device) for device in devices.values()))
    return "\n".join([_OPENING, overview, *(_sources(device) for device in devices.values())])


def _row(device: Device) -> tuple[str, ...]:
    rates = ", ".join(f"{name} {rate / 1e12:g}" for name, rate in device.peak_flops_per_s.items())
    price = "" if device.price_usd_per_h is None else f"{device.price_usd_per_h:g}"
    return (
        code(device.name), device.kind, rates, f"{device.efficiency:.0%}",
        f"{device.memory_bytes / 2**30:.3g}", f"{device.memory_bandwidth_bytes_per_s / 1e9:g}",
        f"{device.idle_w:g} to {device.peak_w:g}", price,
    )  # fmt: skip


def _sources(device: Device) -> str:
    rows = ((code(field), source) for field, source in device.sources.items())
    return f"## {device.name}\n\n{table(('figure', 'source'), rows)}"
