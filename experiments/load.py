"""How much load a scenario can bear: what its busiest device or channel allows."""

from dataclasses import replace

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
    trace = Simulator().run(alone)
    devices_s = [
        busy_s / node.device.slots
        for name, busy_s in trace.busy_s.items()
        if (node := scenario.topology.node(name)).device is not None
    ]
    channels_s = [
        carried * 8 / channel.rate_bits_per_s
        for channel, carried in zip(scenario.topology.channels, trace.carried_bytes, strict=True)
    ]
    return 1 / max(devices_s + channels_s)
