"""What a step means whatever happened to it: work, bytes, energy, price, from plan and topology."""

from dataclasses import dataclass

from sim.plan import Compute, Step
from topologies.topology import Topology


@dataclass(frozen=True, slots=True)
class StepFacts:
    """The constant part of a step's row.

    ``fixed_j`` and ``fixed_usd`` are due once when a transfer arrives; ``power_w`` and
    ``usd_per_s`` for as long as a computation holds its device. Power is what the device draws
    above idle, so that a step carries only the energy that it caused; a slot of a device with
    several has its share. Compute is priced per busy second at the hourly price, bytes at the
    source's egress price. ``bytes_up`` go from a trusted node to an untrusted one,
    ``bytes_down`` the other way.
    """

    kind: str
    stage: str
    node: str = ""
    source: str = ""
    target: str = ""
    bytes: float = 0.0
    flops: float = 0.0
    fixed_j: float = 0.0
    fixed_usd: float = 0.0
    power_w: float = 0.0
    usd_per_s: float = 0.0
    bytes_up: float = 0.0
    bytes_down: float = 0.0


def step_facts(step: Step, topology: Topology) -> StepFacts:
    """Return the constant part of a step's row."""
    if isinstance(step, Compute):
        device = topology.node(step.node).device
        if device is None:
            raise ValueError(f"node {step.node!r} computed a step, but has no device")
        return StepFacts(
            kind="compute",
            stage="+".join(dict.fromkeys(stage.kind for stage in step.stages)),
            node=step.node,
            flops=sum(stage.flops for stage in step.stages),
            power_w=(device.peak_w - device.idle_w) / device.slots,
            usd_per_s=(device.price_usd_per_h or 0.0) / 3600 / device.slots,
        )
    source, target = topology.node(step.source), topology.node(step.target)
    size_bytes = step.size_bytes
    route = topology.route(step.source, step.target)
    j_per_bit = sum(topology.channels[channel].energy_j_per_bit for channel in route.channels)
    return StepFacts(
        kind="transfer",
        stage=step.payload.tensor,
        source=step.source,
        target=step.target,
        bytes=size_bytes,
        fixed_j=size_bytes * 8 * j_per_bit,
        fixed_usd=size_bytes * source.egress_usd_per_byte,
        bytes_up=size_bytes if source.trusted and not target.trusted else 0.0,
        bytes_down=size_bytes if target.trusted and not source.trusted else 0.0,
    )
