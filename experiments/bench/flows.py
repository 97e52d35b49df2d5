"""How many flows per second the network completes.

Two closed loops, shaped like the reference files in ``tests/data``: each of N slots has one flow
under way, and starts the next when it ends. In *star* all flows cross one access link and one of
four cloud links; in *metro* each slot has a device link of its own before the two. *burst* is a
sharded stage: sixteen flows start together over one access link and sixteen cloud links, and the
next sixteen when the last has ended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from experiments.bench.baseline import Measurement, measure
from sim.engine.clock import Clock
from sim.engine.network import Network

Route = tuple[int, ...]

CLOUDS_BYTES_PER_S = (6.25e6, 3.75e6, 2.5e6, 25e6)
STAR_ACCESS_BYTES_PER_S = 12.5e6
METRO_BACKBONE_BYTES_PER_S = 50e6
DEVICE_BYTES_PER_S = 1.25e6
MEAN_BYTES = 1e6
FLOWS = 20_000
FLOWS_PER_SLOT = 20  # at least, as in the reference files
BURST = 16
SEED = 20


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """Links, and the (route, bytes) of each slot's flows in their order."""

    capacities_bytes_per_s: tuple[float, ...]
    slots: Sequence[Sequence[tuple[Route, float]]]


def star(concurrent: int) -> ClosedLoop:
    """Return a loop of flows over one access link and one of the cloud links."""
    capacities = (STAR_ACCESS_BYTES_PER_S, *CLOUDS_BYTES_PER_S)
    return _loop(capacities, [(0,)] * concurrent)


def metro(concurrent: int) -> ClosedLoop:
    """Return a loop of flows over the slot's own device link, the backbone and a cloud link."""
    devices = (DEVICE_BYTES_PER_S,) * concurrent
    capacities = (METRO_BACKBONE_BYTES_PER_S, *CLOUDS_BYTES_PER_S, *devices)
    first = len(capacities) - concurrent
    return _loop(capacities, [(first + slot, 0) for slot in range(concurrent)])


def run(loop: ClosedLoop) -> int:
    """Simulate a closed loop; return how many flows ended."""
    clock = Clock()
    network = Network(clock, loop.capacities_bytes_per_s)
    ended = 0

    def start_next(rest: Iterator[tuple[Route, float]]) -> None:
        for route, size_bytes in rest:
            network.start(route, size_bytes, 0.0, finish, rest)
            return

    def finish(rest: Iterator[tuple[Route, float]]) -> None:
        nonlocal ended
        ended += 1
        start_next(rest)

    for slot in loop.slots:
        start_next(iter(slot))
    clock.run()
    return ended


def run_bursts(sizes_bytes: Sequence[Sequence[float]]) -> int:
    """Simulate burst after burst, each of one flow per cloud; return how many flows ended."""
    clock = Clock()
    network = Network(clock, (100e6, *[60e6] * BURST))
    routes = [(0, 1 + cloud) for cloud in range(BURST)]
    bursts = iter(sizes_bytes)
    under_way = 0

    def start_burst() -> None:
        nonlocal under_way
        for sizes in bursts:
            under_way = BURST
            for route, size_bytes in zip(routes, sizes, strict=True):
                network.start(route, size_bytes, 0.01, finish, None)
            return

    def finish(_: None) -> None:
        nonlocal under_way
        under_way -= 1
        if not under_way:
            start_burst()

    start_burst()
    clock.run()
    return len(sizes_bytes) * BURST


def benchmarks(baseline: float) -> Iterator[Measurement]:
    """Measure completions per second, beside ``baseline`` (bare simpy timeouts per second)."""
    for build in (star, metro):
        for concurrent in (10, 100, 1000):
            loop = build(concurrent)
            name = f"flows_{build.__name__}_{concurrent}"
            yield measure(name, "completions/s", baseline, partial(run, loop))
    generator = np.random.default_rng(SEED)
    sizes = generator.uniform(1e5, 1e6, (FLOWS // BURST, BURST)).tolist()
    yield measure("flows_burst_16", "completions/s", baseline, partial(run_bursts, sizes))


def _loop(capacities: tuple[float, ...], starts: Sequence[Route]) -> ClosedLoop:
    """Return a loop whose slots' routes begin with ``starts`` and end at clouds drawn evenly."""
    generator = np.random.default_rng(SEED)
    shape = len(starts), max(FLOWS_PER_SLOT, FLOWS // len(starts))
    sizes = generator.exponential(MEAN_BYTES, shape).tolist()
    clouds = generator.integers(1, 1 + len(CLOUDS_BYTES_PER_S), shape).tolist()
    return ClosedLoop(
        capacities,
        [
            [((*start, cloud), size) for cloud, size in zip(own_clouds, own_sizes, strict=True)]
            for start, own_clouds, own_sizes in zip(starts, clouds, sizes, strict=True)
        ],
    )
