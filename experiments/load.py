"""How much load a scenario can bear: what its busiest device or channel allows."""

from dataclasses import replace

from experiments.saturation import occupied_s
from sim.engine.simulator import Simulator
from sim.runner import Scenario


def capacity_per_s(scenario: Scenario) -> float:
    """Return the requests per second of one origin at which something is busy all the time.

    One request is simulated on its own; the device slot or channel that it occupies longest is
    the bottleneck. A policy that spreads requests as load grows can bear more.
    """
    alone = replace(
        scenario,
        workload=replace(scenario.workload, requests=1),
        origins=scenario.origins[:1],
        warm_up=0,
    )
    return 1 / max(occupied_s(Simulator().run(alone)).values())
