"""What scale costs: the time of a step as a city grows, and the memory of a long run.

*curve* runs cities of 10, 100 and 1,000 edges with a cloud for every five, each edge with the same
load and the policy ``sharded/deferred`` over eight clouds, for as long: the work grows with the
city, the cost of a step should not. *memory* runs the scenario ``metro-200`` for a million steps
into a result folder, in a process of its own, and reports what that needed at most.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.bench.baseline import Measurement
from experiments.campaign import run_campaign
from experiments.results import ResultFolder
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.policies.registry import policy_named
from sim.runner import Scenario
from sim.trace import Sink, Trace
from topologies.builders import metro
from workloads.arrivals import Poisson
from workloads.catalogue import workload_named

EDGES = (10, 100, 1000)
EDGES_PER_CLOUD = 5
EDGES_PER_AGGREGATION = 20
POLICY = "sharded/deferred:clouds=8,codec=int8"
RATE_PER_S = 0.2
REQUESTS_PER_EDGE = 20
LEAST_S = 2.0
"""A measurement is repeated for at least so long, and at least twice; its best counts."""

STEPS_PER_REQUEST = 27
"""Of `POLICY` on ``metro-200``: eight clouds with three steps each, and three on the edge."""
LONG_STEPS = 1_000_000


def city(edges: int, requests: int) -> Scenario:
    """Return a city of so many edges; the more, the wider, with the same load on each."""
    topology = metro(
        edges=edges,
        clouds=max(10, edges // EDGES_PER_CLOUD),
        aggregations=max(1, edges // EDGES_PER_AGGREGATION),
    )
    return Scenario(
        name=f"metro-{edges}",
        topology=topology,
        workload=workload_named("sam-vit-b", Poisson(RATE_PER_S), requests),
        policy=policy_named(POLICY),
        policy_name=POLICY,
        origins=tuple(node.name for node in topology.nodes if node.role == "edge"),
        deadline_s=0.32,
        view_age_s=0.1,
    )


def curve(baseline: float) -> Iterator[Measurement]:
    """Measure steps per second in cities of growing size."""
    for edges in EDGES:
        scenario = city(edges, edges * REQUESTS_PER_EDGE)
        value = _best_rate(scenario)
        yield Measurement(f"steps_metro_{edges}", value, "steps/s", baseline, value / baseline)


def growth(measurements: list[Measurement]) -> list[str]:
    """Return the curve as lines of text: microseconds per step, and relative to the first."""
    points = [one for one in measurements if one.name.startswith("steps_metro_")]
    return [
        f"{one.name.removeprefix('steps_metro_'):>6} edges {1e6 / one.value:6.1f} us per step  "
        f"x {points[0].value / one.value:.2f}  {'#' * round(2e7 / one.value / 10)}"
        for one in points
    ]


def memory(baseline: float) -> Iterator[Measurement]:
    """Measure what a million steps of ``metro-200`` need at most; the ratio is to 1 GiB."""
    del baseline
    value = peak_mib(LONG_STEPS)
    yield Measurement("memory_metro_200", value, "MiB", 1024.0, value / 1024.0)


def peak_mib(steps: int) -> float:
    """Return the peak resident memory of a process that runs ``metro-200`` for so many steps."""
    program = [sys.executable, "-m", "experiments.bench.cities", str(steps)]
    found = subprocess.run(program, capture_output=True, text=True, check=True)  # noqa: S603
    return float(found.stdout)


def run_long(steps: int) -> float:
    """Run ``metro-200`` for so many steps into a result folder; return this process's peak MiB."""
    requests = -(-steps // STEPS_PER_REQUEST)
    settings = ["replications=1", f"workload.requests={requests}", "warm_up=0"]
    scenario = load("metro-200", settings, POLICY)
    with tempfile.TemporaryDirectory() as place, ResultFolder(Path(place) / "results") as folder:
        run_campaign(scenario, Simulator(), folder)
        folder.complete(scenario.name, {}, [POLICY])
    return _own_peak_mib()


def _own_peak_mib() -> float:
    """Return this program's peak: ru_maxrss is that of what started it, where that had more."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return float(peak.split()[1]) / 1024  # which counts in KiB


def _best_rate(scenario: Scenario) -> float:
    """Return the steps per second of processor time of the best of several runs."""
    rates: list[float] = []
    spent_s = 0.0
    while len(rates) < 2 or spent_s < LEAST_S:
        start_s = time.process_time()
        steps = count_steps(scenario)
        took_s = time.process_time() - start_s
        rates.append(steps / took_s)
        spent_s += took_s
    return max(rates)


def count_steps(scenario: Scenario) -> int:
    """Simulate a scenario in constant memory; return how many steps it had."""
    steps: list[int] = []

    def take(chunk: Trace) -> None:
        steps.append(len(chunk.columns().step))

    Simulator().run(scenario, sink=Sink(take))
    return sum(steps)


if __name__ == "__main__":
    print(run_long(int(sys.argv[1])))
