"""Places in an emulated network are made as they were ordered."""

from pathlib import Path

from real_runner.links.network import Network
from real_runner.links.places import read_places, write_places
from tests.real_runner.links.conftest import world
from topologies.topology import Link


def test_places_are_read_as_they_were_written(tmp_path: Path) -> None:
    topology = world(
        Link("a", "b", 1e6, 0.001),
        Link("a", "c", 1e6, 0.001),
        Link("a", "d", 1e6, 0.001, transport="tcp"),
    )
    write_places(Network(topology), tmp_path)
    places = read_places(tmp_path)
    assert [place.address for place in places][:2] == ["198.18.0.1", "198.18.0.2"]
    assert (places[0].default, places[0].others) == ("fluid", {"198.18.0.4": "cubic"})
    assert (places[3].default, places[3].others) == ("cubic", {})
    assert {place.window for place in places} == {46}  # 64 KiB, and 500 bytes under way
