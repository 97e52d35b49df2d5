"""The one link behind which all clouds of an edge are, and worlds in which it is another."""

from collections.abc import Iterable
from dataclasses import replace

from experiments.scenarios.loader import load
from sim.errors import ScenarioError
from sim.runner import Scenario
from topologies.topology import Link, Topology


def access_of(topology: Topology) -> Link:
    """Return the edge's one link; `ScenarioError` where there are several edges or such links."""
    edges = _edges(topology)
    access = [link for link in topology.links if edges & {link.source, link.target}]
    if len(access) != 1:
        raise ScenarioError(
            f"topology {topology.name!r}: {len(access)} links lead to an edge; this question "
            "changes the one link behind which all clouds are"
        )
    return access[0]


def behind(topology: Topology, link: Link) -> Topology:
    """Return the topology whose access link is ``link``."""
    access = access_of(topology)
    links = tuple(link if each is access else each for each in topology.links)
    return replace(topology, links=links)


def over(topology: Topology, uplink_bits_per_s: float, round_trip_s: float) -> Topology:
    """Return the topology behind an access link of such an uplink and propagation there and back.

    Its downlink is in the same proportion to the uplink as before, and neither changes over time.
    """
    access = access_of(topology)
    rate, back = access.rate_bits_per_s, access.back_rate_bits_per_s or access.rate_bits_per_s
    upwards = rate if access.source in _edges(topology) else back
    factor = uplink_bits_per_s / upwards
    link = replace(
        access,
        rate_bits_per_s=factor * rate,
        back_rate_bits_per_s=None if access.duplex == "half" else factor * back,
        delay_s=round_trip_s / 2,
        schedule=None,
        back_schedule=None,
    )
    return behind(topology, link)


def worlds(
    name: str, settings: Iterable[str], points: Iterable[tuple[str, float, float]]
) -> list[Scenario]:
    """Return a scenario for each point: a policy, a round trip in seconds, an uplink in bits/s."""
    found = []
    for policy, round_trip_s, uplink_bits_per_s in points:
        scenario = load(name, tuple(settings), policy)
        topology = over(scenario.topology, uplink_bits_per_s, round_trip_s)
        found.append(replace(scenario, topology=topology))
    return found


def _edges(topology: Topology) -> set[str]:
    return {node.name for node in topology.nodes if node.role == "edge"}
