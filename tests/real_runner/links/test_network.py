"""What a topology asks of emulated links, in addresses, queues and words."""

import pytest

from real_runner.errors import RealRunError
from real_runner.links.network import FLUID_QUEUE_BYTES, MOST_NODES, Network, queue_bytes
from tests.conftest import small_topology
from tests.real_runner.links.conftest import world
from topologies.topology import Link


def test_an_explicit_queue_is_taken_and_the_default_is_a_round_trip_full() -> None:
    far = Link("a", "b", 100e6, 0.020, transport="tcp")
    near = Link("a", "b", 100e6, 0.0001, transport="tcp")
    given = Link("a", "b", 100e6, 0.020, queue_bytes=3000)
    found = [queue_bytes(link, link.channels(0)[0]) for link in (far, near, given)]
    assert found == [500_000, 65_536, 3000]


def test_of_a_fluid_nothing_is_dropped_for_want_of_a_queue() -> None:
    link = Link("a", "b", 100e6, 0.020)
    assert queue_bytes(link, link.channels(0)[0]) == FLUID_QUEUE_BYTES


def test_a_fluid_that_is_lost_in_part_is_carried_by_who_minds_least() -> None:
    network = Network(world(Link("a", "b", 1e6, 0.001), Link("b", "c", 1e6, 0.001, loss=0.01)))
    assert [network.congestion("a", end) for end in "bc"] == ["fluid", "bbr"]


def test_nodes_have_addresses_of_their_own_routers_too() -> None:
    network = Network(small_topology())
    found = [network.address(node) for node in network.nodes]
    assert found == ["198.18.0.1", "198.18.0.2", "198.18.0.3", "198.18.0.4"]


def test_a_way_is_as_careful_as_its_most_careful_link() -> None:
    topology = world(
        Link("a", "b", 1e6, 0.001, transport="tcp", congestion="bbr"),
        Link("b", "c", 1e6, 0.001, transport="tcp", congestion="cubic"),
        Link("c", "d", 1e6, 0.001, congestion="cubic"),  # fluid: it asks for nothing
    )
    network = Network(topology)
    ways = [("a", "b"), ("a", "c"), ("b", "c"), ("c", "d"), ("a", "d")]
    assert [network.congestion(*way) for way in ways] == ["bbr", "cubic", "cubic", "fluid", "cubic"]


def test_more_nodes_than_addresses_are_refused() -> None:
    links = (Link("hub", str(number), 1e6, 0.001) for number in range(MOST_NODES))
    with pytest.raises(RealRunError, match=f"{MOST_NODES + 1} nodes"):
        Network(world(*links))
