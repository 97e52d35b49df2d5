"""What a topology asks of emulated links, in addresses, queues and words."""

from pathlib import Path

import pytest

from real_runner.errors import RealRunError
from real_runner.links.network import MOST_NODES, Network, queue_bytes
from real_runner.links.orders import read_orders, write_orders
from tests.conftest import small_topology
from tests.real_runner.links.conftest import world
from topologies.topology import Link


def test_an_explicit_queue_is_taken_and_the_default_is_a_round_trip_full() -> None:
    far = Link("a", "b", 100e6, 0.020)
    near = Link("a", "b", 100e6, 0.0001)
    given = Link("a", "b", 100e6, 0.020, queue_bytes=3000)
    found = [queue_bytes(link, link.channels(0)[0]) for link in (far, near, given)]
    assert found == [500_000, 65_536, 3000]


def test_nodes_have_addresses_of_their_own_routers_too() -> None:
    network = Network(small_topology())
    found = [network.address(node) for node in network.nodes]
    assert found == ["198.18.0.1", "198.18.0.2", "198.18.0.3", "198.18.0.4"]


def test_the_link_process_is_told_channels_routes_and_who_shares_a_serialiser() -> None:
    topology = world(Link("a", "b", 1e6, 0.5, duplex="half", loss=0.25), Link("b", "c", 2e6, 0.001))
    first, *lines = Network(topology).text().splitlines()
    assert first == "network 3 4 4 14 3323068417"
    assert lines[:3] == [
        f"channel 0 1 1000000.0 500000000 125000 {2**62} 0 0",
        f"channel 0 0 1000000.0 500000000 125000 {2**62} 0 0",
        "channel 2 2 2000000.0 1000000 65536 0 0 0",
    ]
    assert "route 0 2 2 0 2" in lines
    assert "route 2 0 2 3 1" in lines


def test_a_way_is_as_careful_as_its_most_careful_link() -> None:
    topology = world(
        Link("a", "b", 1e6, 0.001, transport="tcp", congestion="bbr"),
        Link("b", "c", 1e6, 0.001, transport="tcp", congestion="cubic"),
        Link("c", "d", 1e6, 0.001, congestion="cubic"),  # fluid: it asks for nothing
    )
    network = Network(topology)
    ways = [("a", "b"), ("a", "c"), ("b", "c"), ("c", "d"), ("a", "d")]
    assert [network.congestion(*way) for way in ways] == ["bbr", "cubic", "cubic", "bbr", "cubic"]


def test_orders_are_read_as_they_were_written(tmp_path: Path) -> None:
    topology = world(
        Link("a", "b", 1e6, 0.001),
        Link("a", "c", 1e6, 0.001),
        Link("a", "d", 1e6, 0.001, transport="tcp"),
    )
    write_orders(Network(topology), tmp_path / "program", tmp_path)
    program, places = read_orders(tmp_path)
    assert program == str(tmp_path / "program")
    assert [place.address for place in places][:2] == ["198.18.0.1", "198.18.0.2"]
    assert (places[0].default, places[0].others) == ("bbr", {"198.18.0.4": "cubic"})
    assert (places[3].default, places[3].others) == ("cubic", {})


def test_more_nodes_than_addresses_are_refused() -> None:
    links = (Link("hub", str(number), 1e6, 0.001) for number in range(MOST_NODES))
    with pytest.raises(RealRunError, match=f"{MOST_NODES + 1} nodes"):
        Network(world(*links))
