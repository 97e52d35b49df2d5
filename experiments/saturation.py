"""Saturation: where the load exceeds capacity there is no steady state, and no figure to print.

Latency then grows for as long as load lasts, and a mean or quantile says how long the run was.
Two tests look for it (see `experiments.statistics.backlog`): the load offered to each device and
channel, from the scenario's rate of arrivals and the seconds that a request takes of it; and a
number of requests in the system that grows to the end. Both are one-sided and rarely err: a run
is called saturated only where that is shown, and a short run may not show it. A closed loop never
is: it asks for no more than it gets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from experiments.statistics.backlog import growth, lower_bounds
from experiments.statistics.estimates import FloatArray
from sim.columns import Column, Table
from sim.runner import Scenario
from sim.trace import Trace
from topologies.topology import Topology
from workloads.arrivals import Closed

PARTS = 10
"""Each replication's requests are cut into tenths, whose work shows how much the load varies."""

LEAST_REQUESTS = 20
CONFIDENCE_OF_LOAD, CONFIDENCE_OF_GROWTH = 0.99, 0.995
"""Of the test of load, all resources taken together (Bonferroni); and of the test of growth."""


@dataclass(frozen=True)
class Evidence:
    """What one replication has to say: seconds taken of each resource, its tenths, growth."""

    occupied_s: Mapping[str, float]
    tenths: Mapping[str, FloatArray]
    growth: FloatArray
    observed_rate_per_s: float


@dataclass(frozen=True, slots=True)
class Saturation:
    """Whether a scenario is saturated; ``load`` is what ``busiest`` is offered of its capacity.

    ``growth`` is by how many requests the system grows per arrival, late in the run. Both are NaN
    where the run is too short to tell. ``reason`` says in words what shows it to be saturated, and
    is empty where nothing does.
    """

    busiest: str
    load: float
    growth: float
    reason: str

    def __bool__(self) -> bool:
        """Whether it is saturated."""
        return bool(self.reason)


class Work:
    """Sums up, over tables of steps, what each tenth of the requests brought to each resource.

    What a request *brings* is counted, operations and bytes, not how long it held a device: under
    a growing backlog shared devices hold everything longer.
    """

    def __init__(self, topology: Topology, requests: int) -> None:
        self.tenths: dict[str, FloatArray] = {}
        self._topology = topology
        self._requests = requests

    def add(self, steps: Table) -> None:
        """Add some requests' steps; see `sim.tables.Tables.work`."""
        tenth = steps["request"] * PARTS // self._requests
        kind = steps["kind"]
        computed, sent = np.flatnonzero(kind == "compute"), np.flatnonzero(kind == "transfer")
        (nodes,), brought = _summed(steps, ("node",), "flops", computed, tenth)
        for node, flops in zip(nodes, brought, strict=True):
            self._add(node, flops)
        (sources, targets), brought = _summed(steps, ("source", "target"), "bytes", sent, tenth)
        for source, target, size_bytes in zip(sources, targets, brought, strict=True):
            for name in self._channels(source, target):
                self._add(name, size_bytes)

    def _add(self, name: str, amounts: FloatArray) -> None:
        self.tenths[name] = self.tenths.get(name, 0.0) + amounts

    def _channels(self, source: str, target: str) -> Iterator[str]:
        topology = self._topology
        for channel in topology.route(source, target).channels:
            yield topology.channels[channel].name


def _summed(
    steps: Table, keys: Sequence[str], amount: str, rows: Column, tenth: Column
) -> tuple[list[list[str]], FloatArray]:
    """Return, for each combination of ``keys`` in some rows, its words and its sum per tenth."""
    place = np.zeros(len(rows), dtype=np.int64)
    for key in keys:
        codes, words = pd.factorize(steps[key][rows])
        place = place * max(1, len(words)) + codes
    _, firsts, groups = np.unique(place, return_index=True, return_inverse=True)
    sums = np.zeros((len(firsts), PARTS))
    np.add.at(sums, (groups, tenth[rows]), steps[amount][rows])
    return [steps[key][rows[firsts]].tolist() for key in keys], sums


def evidence(occupied_s: Mapping[str, float], work: Work, requests: Table) -> Evidence:
    """Return what a replication has to say, given the table of its requests."""
    arrivals_s = requests["arrival_s"]
    span_s = float(np.ptp(arrivals_s)) if len(arrivals_s) else 0.0
    return Evidence(
        occupied_s,
        work.tenths,
        growth(arrivals_s, requests["end_s"]),
        (len(arrivals_s) - 1) / span_s if span_s else nan,
    )


def occupied_s(trace: Trace) -> dict[str, float]:
    """Return for how long each device (one of its slots) and channel was taken, by name.

    A device that scales counts with the most slots it can have. The directions of a half-duplex
    link share its time, so each is taken for as long as both.
    """
    topology = trace.topology
    devices = {name: busy_s / _most_slots(trace, name) for name, busy_s in trace.busy_s.items()}
    taken_s = [
        carried * 8 / channel.rate_bits_per_s
        for channel, carried in zip(topology.channels, trace.carried_bytes, strict=True)
    ]
    for number, link in enumerate(topology.links):
        if link.duplex == "half":
            taken_s[2 * number : 2 * number + 2] = [sum(taken_s[2 * number : 2 * number + 2])] * 2
    names = (channel.name for channel in topology.channels)
    return {**devices, **dict(zip(names, taken_s, strict=True))}


def saturation(scenario: Scenario, replications: Sequence[Evidence]) -> Saturation:
    """Judge from all replications whether ``scenario`` is saturated."""
    grown = np.concatenate([each.growth for each in replications])
    mean_growth = float(grown.mean()) if len(grown) else nan
    busiest, load, overload = _load(scenario, replications)
    if isinstance(scenario.workload.arrivals, Closed):
        reason = ""
    elif overload:
        reason = f"{busiest} is offered {load:.0%} of what it can do"
    elif len(grown) and lower_bounds(grown[:, None], CONFIDENCE_OF_GROWTH)[0] > 0:
        reason = f"requests in the system grow by {mean_growth:.2f} per arrival"
    else:
        reason = ""
    return Saturation(busiest, load, mean_growth, reason)


def _load(scenario: Scenario, replications: Sequence[Evidence]) -> tuple[str, float, bool]:
    """Return the busiest resource, the load offered to it, and whether that is shown to exceed 1.

    Where several do, the busiest of these counts.
    """
    requests = scenario.workload.requests
    rates = [_rate_per_s(scenario, each) for each in replications]
    unknown = _scheduled(scenario.topology)
    names = [
        name
        for name, taken_s in replications[0].occupied_s.items()
        if taken_s > 0 and name not in unknown
    ]
    if requests < LEAST_REQUESTS or not names or not np.isfinite(rates).all():
        return "", nan, False
    loads = np.mean(
        [
            [rate * each.occupied_s[name] / requests for name in names]
            for rate, each in zip(rates, replications, strict=True)
        ],
        axis=0,
    )
    parts = np.concatenate([_relative(each, names) for each in replications])
    low = loads * lower_bounds(parts, 1 - (1 - CONFIDENCE_OF_LOAD) / len(names))
    over = low > 1
    place = int(np.argmax(np.where(over, loads, 0.0) if over.any() else loads))
    return names[place], float(loads[place]), bool(over.any())


def _relative(each: Evidence, names: Sequence[str]) -> FloatArray:
    """Return each tenth's work as a multiple of the replication's mean, a column per name."""
    flat = np.ones(PARTS)
    columns = [each.tenths.get(name, flat) for name in names]
    return np.array([part / part.mean() if part.any() else flat for part in columns]).T


def _rate_per_s(scenario: Scenario, each: Evidence) -> float:
    """Return the rate of all origins' arrivals: the scenario's own, or else the observed one."""
    known = scenario.workload.arrivals.mean_rate_per_s
    return each.observed_rate_per_s if known is None else known * len(scenario.origins)


def _scheduled(topology: Topology) -> set[str]:
    """Return the channels whose rate changes: what they can carry is not known beforehand."""
    return {
        channel.name
        for channel in topology.channels
        if topology.links[channel.index // 2].schedule_of(back=channel.index % 2 == 1) is not None
    }


def _most_slots(trace: Trace, name: str) -> int:
    node = trace.topology.node(name)
    if node.serving.autoscale is not None:
        return node.serving.autoscale.max_slots
    return node.device.slots if node.device else 1
