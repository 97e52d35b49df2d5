"""Routes from the router against Dijkstra over the whole graph, leaves and all."""

from heapq import heappop, heappush

import pytest

from topologies.builders import metro
from topologies.routes import Route, Router
from topologies.shipped import load
from topologies.topology import Channel, Topology


def dijkstra(channels: tuple[Channel, ...], source: str) -> dict[str, Route]:
    """Return all best routes by the textbook: no node is spared."""
    found: dict[str, Route] = {}
    frontier = [(0.0, 0, (), source)]
    while frontier:
        delay_s, hops, path, node = heappop(frontier)
        if node not in found:
            rates = (channels[index].rate_bits_per_s for index in path)
            found[node] = Route(path, delay_s, min(rates, default=float("inf")))
            for arc in channels:
                if arc.source == node:
                    further = (*path, arc.index)
                    heappush(frontier, (delay_s + arc.delay_s, hops + 1, further, arc.target))
    return found


@pytest.mark.parametrize(
    "topology",
    [
        load("phone-lte-edge-clouds"),
        load("jetson-16-clouds"),
        metro(edges=12, clouds=6, aggregations=3, regions=2),
    ],
    ids=lambda topology: topology.name,
)
def test_routes_are_those_of_the_whole_graph_to_the_last_bit(topology: Topology) -> None:
    for node in topology.nodes:
        for target, route in dijkstra(topology.channels, node.name).items():
            assert topology.route(node.name, target) == route


def test_there_is_no_route_to_what_is_not_connected() -> None:
    arcs = (
        Channel(0, "a", "b", 1e6, 0.0),
        Channel(1, "b", "a", 1e6, 0.0),
        Channel(2, "c", "d", 1e6, 0.0),
        Channel(3, "d", "c", 1e6, 0.0),
    )
    router = Router(arcs)
    assert router.route("a", "b") == Route((0,), 0.0, 1e6)
    assert router.route("a", "c") is None
    assert router.route("a", "nowhere") is None
