"""From a stage and a device to seconds: the only path by which measurement enters a simulation.

`Roofline` bounds a stage by the device's sustained arithmetic rate and by its memory bandwidth
(Williams, Waterman, Patterson 2009, doi 10.1145/1498765.1498785), and adds the time to launch
its kernels.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from topologies.device import Device
from workloads.stage import Stage


class CostModel(Protocol):
    """Predicts how long a stage keeps a device busy; hashable, so that plans can be remembered."""

    def seconds(self, stage: Stage, device: Device) -> float:
        """Return the service time in seconds, or raise where the device cannot run the stage."""
        ...


@dataclass(frozen=True, slots=True)
class Roofline:
    """``max(flops / rate, bytes / bandwidth) + launches x overhead``."""

    def seconds(self, stage: Stage, device: Device) -> float:
        """Return the roofline time; `TopologyError` where the device lacks the precision."""
        return _roofline_s(stage, device)


def batched(stage: Stage, count: int) -> Stage:
    """Return the stage that runs ``stage`` on ``count`` inputs of its size at once.

    Operations, activations and what travels through memory for them grow with the count; weights
    are read once and kernels launched once for all.

    >>> eight = batched(Stage("s", flops=1e9, memory_bytes=5e6, launches=3, weight_bytes=4e6), 8)
    >>> eight.flops, eight.memory_bytes, eight.launches, eight.weight_bytes
    (8000000000.0, 12000000.0, 3, 4000000.0)
    """
    return replace(
        stage,
        flops=stage.flops * count,
        memory_bytes=stage.memory_bytes + activation_bytes(stage) * (count - 1),
    )


def activation_bytes(stage: Stage) -> float:
    """Return the bytes a stage reads and writes apart from its weights."""
    return max(0.0, stage.memory_bytes - stage.weight_bytes)


@lru_cache(maxsize=65_536)
def _roofline_s(stage: Stage, device: Device) -> float:
    arithmetic_s = stage.flops / device.flops_per_s(stage.precision)
    memory_s = stage.memory_bytes / device.memory_bandwidth_bytes_per_s
    return max(arithmetic_s, memory_s) + stage.launches * device.launch_overhead_s
