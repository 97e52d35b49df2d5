"""What each computation of a trace kept its device busy for, and what it ran there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush

from sim.plan import Compute
from sim.trace import FINISHED, Record, Trace
from workloads.stage import Stage

Stages = tuple[Stage, ...]
Services = dict[str, dict[Stages, list[float]]]
"""Seconds of service by node and by the stages that were run in one step."""


def services_s(traces: Iterable[Trace], first: int = 0) -> Services:
    """Return the service times of all computations that finished, of requests from ``first`` on.

    Service begins when the step could begin and its device had a slot free, so that what a runner
    takes to start a computation counts, and what it waits for others does not.
    """
    found: Services = defaultdict(lambda: defaultdict(list))
    for trace in traces:
        slots = {node.name: node.device.slots for node in trace.topology.nodes if node.device}
        for node, records in _by_node(trace).items():
            for stages, seconds in _served(records, slots[node], first):
                found[node][stages].append(seconds)
    return {node: dict(each) for node, each in found.items()}


def _by_node(trace: Trace) -> Mapping[str, list[Record]]:
    """Return the computations of each node in the order in which they were taken up."""
    nodes: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(trace.records, key=lambda record: (record.start_s, record.end_s)):
        step = record.plan.steps[record.step]
        if isinstance(step, Compute):
            nodes[step.node].append(record)
    return nodes


def _served(records: Iterable[Record], slots: int, first: int) -> Iterable[tuple[Stages, float]]:
    """Yield what each record that finished and counts ran, and for how long it was served."""
    free_s = [0.0] * slots
    for record in records:
        begun_s = max(record.queued_s, heappop(free_s))
        heappush(free_s, record.end_s)
        step = record.plan.steps[record.step]
        counts = record.outcome == FINISHED and record.request >= first
        if counts and isinstance(step, Compute):
            yield step.stages, record.end_s - begun_s
