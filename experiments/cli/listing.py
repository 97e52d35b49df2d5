"""``tessera list``: what there is, one line each."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated

import typer

from experiments.scenarios.loader import read_scenario, scenario_path, shipped_scenarios
from sim.policies.registry import ALL_POLICIES
from sim.policies.registry import describe as describe_policy
from topologies.device import Device, catalogue
from topologies.shipped import load as load_topology
from topologies.shipped import shipped_names as shipped_topologies
from workloads.catalogue import WORKLOADS
from workloads.catalogue import describe as describe_workload


class Kind(StrEnum):
    """What can be listed."""

    POLICIES = "policies"
    DEVICES = "devices"
    TOPOLOGIES = "topologies"
    WORKLOADS = "workloads"
    SCENARIOS = "scenarios"


def listing(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    *,
    sources: Annotated[
        bool, typer.Option("--sources", help="Devices: where each figure comes from.")
    ] = False,
) -> None:
    """List what there is, one line each.

    Example: tessera list devices
    """
    for line in _LISTS[kind](sources):
        print(line)


def _policies(_: bool) -> Iterator[str]:  # noqa: FBT001 - one signature for all lists
    yield from (f"{name}: {describe_policy(name)}" for name in ALL_POLICIES)


def _workloads(_: bool) -> Iterator[str]:  # noqa: FBT001
    yield from (f"{name}: {describe_workload(name)}" for name in WORKLOADS)


def _topologies(_: bool) -> Iterator[str]:  # noqa: FBT001
    for name in shipped_topologies():
        topology = load_topology(name)
        yield f"{name}: {len(topology.nodes)} nodes, {len(topology.links)} links; " + (
            " ".join(topology.description.split())
        )


def _scenarios(_: bool) -> Iterator[str]:  # noqa: FBT001
    for name in shipped_scenarios():
        yield f"{name}: {' '.join(read_scenario(scenario_path(name)).description.split())}"


def _devices(sources: bool) -> Iterator[str]:  # noqa: FBT001
    for name, device in catalogue().items():
        yield f"{name}: {_describe_device(device)}"
        if sources:
            yield from (f"  {field}: {source}" for field, source in device.sources.items())


def _describe_device(device: Device) -> str:
    rates = ", ".join(
        f"{precision} {rate / 1e12:g} TFLOP/s"
        for precision, rate in device.peak_flops_per_s.items()
    )
    price = f", {device.price_usd_per_h:g} USD/h" if device.price_usd_per_h else ""
    return (
        f"{device.kind}; {rates}; {device.efficiency:.0%} of it sustained; "
        f"{device.memory_bytes / 2**30:.3g} GiB at "
        f"{device.memory_bandwidth_bytes_per_s / 1e9:g} GB/s; "
        f"{device.idle_w:g} to {device.peak_w:g} W{price}"
    )


_LISTS: dict[Kind, Callable[[bool], Iterator[str]]] = {
    Kind.POLICIES: _policies,
    Kind.DEVICES: _devices,
    Kind.TOPOLOGIES: _topologies,
    Kind.WORKLOADS: _workloads,
    Kind.SCENARIOS: _scenarios,
}
