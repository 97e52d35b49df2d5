"""What a step means whatever happened to it: work, bytes, energy, price, from plan and topology.

Energy is that which the step causes: what a device draws above idle while it computes (a linear
model of power in utilisation, as by Fan, Weber, Barroso 2007, doi 10.1145/1250662.1250665, with
a slot of several as its unit), and so many joules per bit on each channel. What a node draws
when idle belongs to no step; see `sim.ledger`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sim.plan import Compute, Step, Transfer, Wait
from topologies.carbon import CarbonIntensity
from topologies.device import Device
from topologies.topology import Node, Topology


@dataclass(frozen=True, slots=True)
class StepFacts:
    """The constant part of a step's row.

    ``fixed_j`` and ``fixed_usd`` are due once: for a transfer as its bytes pass, in proportion;
    for a computation when it is taken up. ``power_w`` and ``usd_per_s`` are due for as long as a
    computation holds its slot. Compute is priced at the hourly price of the slot, unless its node
    is reserved and costs the same whether or not it computes; bytes at the source's egress price.
    ``bytes_up`` go from a trusted node to an untrusted one, ``bytes_down`` the other way.
    ``grids`` says whose carbon intensity counts for how much of ``power_w`` or ``fixed_j``; it is
    empty where that is unknown.
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
    grids: tuple[tuple[CarbonIntensity, float], ...] = ()


def step_facts(step: Step, topology: Topology) -> StepFacts:
    """Return the constant part of a step's row."""
    if isinstance(step, Compute):
        return _compute_facts(step, topology)
    if isinstance(step, Wait):
        return StepFacts(kind="wait", stage="wait", node=step.node)
    return _transfer_facts(step, topology)


def slot_power_w(device: Device) -> float:
    """Return what one busy slot of a device adds to what it draws when idle."""
    return (device.peak_w - device.idle_w) / device.slots


def _compute_facts(step: Compute, topology: Topology) -> StepFacts:
    node = topology.node(step.node)
    if node.device is None:
        raise ValueError(f"node {step.node!r} computed a step, but has no device")
    power_w = slot_power_w(node.device)
    return StepFacts(
        kind="compute",
        stage="+".join(dict.fromkeys(stage.kind for stage in step.stages)),
        node=step.node,
        flops=sum(stage.flops for stage in step.stages),
        fixed_usd=node.request_price_usd,
        power_w=power_w,
        usd_per_s=_slot_price_usd_per_s(node, node.device),
        grids=_by_grid(topology, [(node.name, power_w)]),
    )


def _transfer_facts(step: Transfer, topology: Topology) -> StepFacts:
    source, target = topology.node(step.source), topology.node(step.target)
    size_bytes = step.size_bytes
    route = topology.route(step.source, step.target)
    channels = [topology.channels[channel] for channel in route.channels]
    spent = [(channel.source, size_bytes * 8 * channel.energy_j_per_bit) for channel in channels]
    return StepFacts(
        kind="transfer",
        stage=step.payload.tensor,
        source=step.source,
        target=step.target,
        bytes=size_bytes,
        fixed_j=sum(energy_j for _, energy_j in spent),
        fixed_usd=size_bytes * source.egress_usd_per_byte,
        bytes_up=size_bytes if source.trusted and not target.trusted else 0.0,
        bytes_down=size_bytes if target.trusted and not source.trusted else 0.0,
        grids=_by_grid(topology, spent),
    )


def _slot_price_usd_per_s(node: Node, device: Device) -> float:
    if node.billing == "reserved":
        return 0.0
    return (device.price_usd_per_h or 0.0) / 3600 / device.slots


def _by_grid(
    topology: Topology, spent: Iterable[tuple[str, float]]
) -> tuple[tuple[CarbonIntensity, float], ...]:
    """Add up what is spent at each of these nodes by the grid that feeds it."""
    found: dict[CarbonIntensity, float] = {}
    for name, amount in spent:
        grid = topology.carbon_of(name)
        if grid is not None and amount:
            found[grid] = found.get(grid, 0.0) + amount
    return tuple(found.items())
