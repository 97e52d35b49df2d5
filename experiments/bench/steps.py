"""How many steps of plans the simulator executes per second.

*steps* is the main scenario: a Jetson, sixteen clouds, the policy ``sharded/deferred``, Poisson
arrivals at 70 % of what the bottleneck bears. Planning and tracing are part of it.
"""

from collections.abc import Iterator

from experiments.bench.baseline import Measurement, measure
from experiments.load import capacity_per_s
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.runner import Scenario

LOAD = 0.7
REQUESTS = 2000


def benchmarks(baseline: float) -> Iterator[Measurement]:
    """Measure the main scenario."""
    scenario = loaded("jetson-16-clouds", "sharded/deferred")
    yield measure("steps", "steps/s", baseline, lambda: _steps(scenario))


def loaded(name: str, policy: str) -> Scenario:
    """Return the scenario with so many requests at so much of its capacity."""
    rate_per_s = LOAD * capacity_per_s(load(name, policy=policy))
    settings = [
        f"workload.requests={REQUESTS}",
        f"workload.arrivals={{kind: poisson, rate_per_s: {rate_per_s}}}",
    ]
    return load(name, settings, policy)


def _steps(scenario: Scenario) -> int:
    return len(Simulator().run(scenario).columns().step)
