"""An hour in a city: a thousand trusted edges share two hundred clouds that crash and recover.

Run it as ``python -m experiments.city [SECONDS] [EDGES]``. Every edge sends 0.05 photos a second,
each sharded over the eight clouds that serve it best; clouds crash every twenty minutes on average
and one edge in twenty hangs on a radio link whose rate changes. Prints what became of the
requests, and what the run took.
"""

import resource
import sys
import time
from collections import Counter
from dataclasses import replace

from experiments.bench.cities import city
from experiments.statistics.estimates import quantile_of
from sim.engine.simulator import Simulator
from sim.faults import FaultPlan, RandomFaults
from sim.runner import Scenario
from sim.trace import FINISHED, Sink, Trace
from topologies.markov import radio_conditions, radio_schedule
from topologies.topology import Link, Topology
from workloads.arrivals import Poisson

RATE_PER_S = 0.05
MEAN_UP_S, MEAN_DOWN_S = 1200.0, 60.0
RADIO_EVERY, STEP_S = 20, 10.0


def main(duration_s: float = 3600.0, edges: int = 1000) -> None:
    """Simulate ``duration_s`` of the city and print a summary."""
    scenario = troubled(city(edges, round(duration_s * RATE_PER_S * edges)), duration_s)
    steps = 0
    latencies_s: list[float] = []
    outcomes = Counter[str]()

    def take(chunk: Trace) -> None:
        nonlocal steps
        steps += len(chunk.columns().step)
        outcomes.update(outcome.outcome for outcome in chunk.outcomes)
        latencies_s.extend(o.latency_s for o in chunk.outcomes if o.outcome == FINISHED)

    began_s = time.perf_counter()
    trace = Simulator().run(scenario, sink=Sink(take))
    took_s = time.perf_counter() - began_s
    p50_s, p99_s = quantile_of(latencies_s, 0.5), quantile_of(latencies_s, 0.99)
    print(f"{trace.end_s:.0f} simulated seconds, {edges} edges: {dict(outcomes)}")
    print(f"p50 {p50_s * 1e3:.0f} ms, p99 {p99_s * 1e3:.0f} ms")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{steps} steps in {took_s:.0f} s, {peak_mib:.0f} MiB")


def troubled(scenario: Scenario, duration_s: float) -> Scenario:
    """Return the scenario with crashing clouds and, here and there, a radio link."""
    topology = scenario.topology
    faults = FaultPlan(
        random=tuple(
            RandomFaults(cloud.name, "crash", MEAN_UP_S, MEAN_DOWN_S) for cloud in topology.clouds
        )
    )
    origins = {name: number for number, name in enumerate(scenario.origins)}
    links = tuple(_radio(link, origins, duration_s) for link in topology.links)
    return replace(
        scenario,
        topology=Topology(topology.name, topology.nodes, links, topology.description),
        workload=replace(scenario.workload, arrivals=Poisson(RATE_PER_S)),
        faults=faults,
    )


def _radio(link: Link, origins: dict[str, int], duration_s: float) -> Link:
    number = origins.get(link.source)
    if number is None or number % RADIO_EVERY:
        return link
    schedule = radio_schedule(
        radio_conditions("5g"), link.rate_bits_per_s, link.delay_s, duration_s, number, STEP_S
    )
    return replace(link, schedule=schedule)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(float(given[0]) if given else 3600.0, int(given[1]) if len(given) > 1 else 1000)
