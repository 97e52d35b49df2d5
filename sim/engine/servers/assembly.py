"""From a node's description to the server that it is, and from a step to the job it has there."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import numpy as np

from sim.cost import CostModel, activation_bytes, batched
from sim.engine.clock import Clock
from sim.engine.servers.autoscaling import Autoscaler, Scaling
from sim.engine.servers.background import Background
from sim.engine.servers.batching import Batcher
from sim.engine.servers.fetching import Carrier, Fetcher
from sim.engine.servers.fifo import Fifo
from sim.engine.servers.memory import Memory, need_bytes
from sim.engine.servers.noise import Empirical, Lognormal, Noise
from sim.engine.servers.pool import Pool
from sim.engine.servers.server import Job, Server, Weights
from sim.errors import PlanError
from sim.plan import Compute
from sim.policy import service_s
from topologies.device import Device
from topologies.serving import IN_ORDER, NoiseModel, Serving
from topologies.topology import Node, Topology
from workloads.stage import Stage

Generators = Callable[[str], np.random.Generator]
"""A random source per purpose, each its own, so that none disturbs another."""


Carriers = Callable[[str, str], Carrier]
"""What carries weights to a node, the first, from another."""


def server_for(
    node: Node, device: Device, clock: Clock, generators: Generators, carriers: Carriers
) -> Server:
    """Return the server that ``node`` with ``device`` is; other tenants and scaling at work."""
    serving = node.serving
    if serving == IN_ORDER:
        return Fifo(clock, device.slots)
    limit = inf if serving.limit is None else serving.limit
    memory = _memory(serving, device)
    source = serving.cold_start.source if serving.cold_start else ""
    pool = Pool(
        clock,
        device.slots,
        serving.discipline,
        interference=serving.interference,
        memory=memory,
        limit=inf if serving.batch or source else limit,
        noise=_noise(serving.noise, generators, node.name),
    )
    if serving.autoscale is not None:
        scale = serving.autoscale
        bounds = (scale.min_slots, scale.max_slots)
        Autoscaler(clock, pool, Scaling(scale.target, *bounds, scale.start_up_s, scale.interval_s))
    if serving.background is not None:
        others = serving.background
        generator = generators(f"background of {node.name}")
        Background(clock, pool, others.utilisation, others.service_s, others.priority, generator)
    server: Server = pool
    if serving.batch:
        server = Batcher(clock, pool, serving.batch.wait_s, inf if source else limit)
    if source and memory is not None:
        server = Fetcher(clock, server, memory, carriers(node.name, source), limit)
    return server


def _memory(serving: Serving, device: Device) -> Memory | None:
    if serving.memory is None and serving.cold_start is None:
        return None
    rate = serving.cold_start.rate_bytes_per_s if serving.cold_start else None
    return Memory(_limit_bytes(serving, device), inf if rate is None else rate)


def _limit_bytes(serving: Serving, device: Device) -> float:
    limit_bytes = serving.memory.limit_bytes if serving.memory else None
    return float(device.memory_bytes if limit_bytes is None else limit_bytes)


def _noise(model: NoiseModel | None, generators: Generators, name: str) -> Noise | None:
    if model is None:
        return None
    generator = generators(f"noise of {name}")
    return Empirical(model.factors, generator) if model.factors else Lognormal(model.cv, generator)


class Pricer:
    """Turns steps into jobs; remembers which stages are of one kind and may be batched."""

    def __init__(self, topology: Topology, cost: CostModel) -> None:
        self._topology = topology
        self._cost = cost
        self._kinds: dict[tuple[str, tuple[Stage, ...]], int] = {}

    def job(self, step: Compute) -> Job:
        """Return the job that ``step`` is on its node.

        Raises `PlanError` where the node has no device, or never has the memory.
        """
        seconds = service_s(self._topology, self._cost, step.stages, step.node)
        node = self._topology.node(step.node)
        if node.serving == IN_ORDER or node.device is None:
            return Job(seconds)
        serving = node.serving
        job = Job(
            seconds,
            max((serving.priorities.get(stage.kind, 0) for stage in step.stages), default=0),
            weights=_weights(step.stages),
            working_bytes=_working_bytes(serving, step.stages),
        )
        room_bytes = inf
        if serving.memory is not None or serving.cold_start is not None:
            room_bytes = _limit_bytes(serving, node.device)
            _require_room(step, job, room_bytes)
        if serving.batch is None:
            return job
        times_s = self._batch_s(step, node.device, _largest(serving.batch.largest, job, room_bytes))
        return replace(job, kind=self._kind(step), batch_s=times_s)

    def _batch_s(self, step: Compute, device: Device, largest: int) -> tuple[float, ...]:
        return tuple(
            sum((self._cost.seconds(batched(stage, n), device) for stage in step.stages), 0.0)
            for n in range(1, largest + 1)
        )

    def _kind(self, step: Compute) -> int:
        """Return a number for the node and the stages, whichever parts of the input they run on.

        Rounds of texts are alike where they run as many positions, wherever in their texts these
        are: so texts share batches that began at different times (Yu et al., OSDI 2022). Such a
        batch is priced as if all were where its first one is.
        """
        alike = tuple(stage.sort for stage in step.stages)
        return self._kinds.setdefault((step.node, alike), len(self._kinds))


def _weights(stages: tuple[Stage, ...]) -> Weights:
    """Return the sets of weights of ``stages``: one per kind, blocks, precision and size."""
    sets = {
        f"{stage.kind}{list(stage.blocks)} {stage.precision} {stage.weight_bytes:.0f}":
            stage.weight_bytes
        for stage in stages
        if stage.weight_bytes > 0.0
    }  # fmt: skip
    return tuple(sets.items())


def _working_bytes(serving: Serving, stages: tuple[Stage, ...]) -> float:
    """Return the largest working set of ``stages``, which run one after the other."""
    if serving.memory is None:
        return 0.0
    return serving.memory.working * max((activation_bytes(stage) for stage in stages), default=0.0)


def _require_room(step: Compute, job: Job, limit_bytes: float) -> None:
    if need_bytes(job) > limit_bytes:
        raise PlanError(
            f"node {step.node!r}: {'+'.join(stage.kind for stage in step.stages)} needs "
            f"{need_bytes(job) / 1e9:.3g} GB for weights and working set, but the limit is "
            f"{limit_bytes / 1e9:.3g} GB; split it further or run it elsewhere"
        )


def _largest(largest: int, job: Job, room_bytes: float) -> int:
    """Return how many such jobs may be one batch, given the memory for all their working sets."""
    if not job.working_bytes:
        return largest
    spare_bytes = room_bytes - need_bytes(job)
    return int(min(largest, 1 + spare_bytes // job.working_bytes))
