"""A world in which nothing else goes on: what policies plan for where only results matter."""

from sim.policy import Estimates, View
from sim.runner import Scenario


def idle_view(scenario: Scenario) -> View:
    """Return what a policy sees of a scenario's world, all of it there and nothing busy."""
    topology = scenario.topology
    rates = tuple(channel.rate_bits_per_s for channel in topology.channels)
    idle = {node.name: 0.0 for node in topology.nodes if node.device is not None}
    return View(0.0, 0.0, Estimates(topology, scenario.cost, rates), idle, (0,) * len(rates))
