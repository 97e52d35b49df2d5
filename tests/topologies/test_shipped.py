import subprocess
import sys
from pathlib import Path

import pytest

from topologies.errors import TopologyError
from topologies.files import write_topology
from topologies.shipped import load, shipped_names
from topologies.topology import Topology


def kinds(topology: Topology) -> set[str]:
    return {cloud.device.name for cloud in topology.clouds if cloud.device}


def test_these_topologies_are_shipped() -> None:
    assert shipped_names() == (
        "jetson-16-clouds",
        "llama2-7b-jetson-cloud",
        "llama2-7b-jetson-cloud-85ms",
        "metro-200",
        "orin-nano-4-clouds",
        "phone-lte-edge-clouds",
        "sdxl-phone-cloud",
        "small-llama-85ms",
        "small-sam",
        "small-sam-16",
        "wearable-jetson-16-clouds",
    )


@pytest.mark.parametrize("name", shipped_names())
def test_each_says_what_it_is(name: str) -> None:
    topology = load(name)
    assert topology.name == name
    assert topology.description
    assert all(cloud.egress_usd_per_byte or cloud.provider == "coreweave"
               for cloud in topology.clouds)  # fmt: skip
    assert not any(cloud.trusted for cloud in topology.clouds)
    assert all(link.energy_j_per_bit > 0 for link in topology.links) or name == "metro-200"


@pytest.mark.parametrize("name", ["jetson-16-clouds", "wearable-jetson-16-clouds"])
def test_sixteen_unlike_clouds_share_the_jetsons_access_link(name: str) -> None:
    topology = load(name)
    routes = [topology.route("jetson", cloud.name) for cloud in topology.clouds]
    access = topology.channels[routes[0].channels[0]]
    assert len(routes) == 16
    assert {route.channels[0] for route in routes} == {access.index}
    assert (access.rate_bits_per_s, access.delay_s) == (1e9, 2e-3)
    assert all(route.rate_bits_per_s == 1e9 for route in routes)
    assert len(kinds(topology)) >= 5
    assert len({cloud.region for cloud in topology.clouds}) == 4
    assert len({cloud.provider for cloud in topology.clouds}) >= 3
    beyond = [route.delay_s - access.delay_s for route in routes]
    assert min(beyond) >= 1e-3
    assert max(beyond) <= 40e-3


def test_the_wearable_reaches_clouds_through_the_jetson() -> None:
    topology = load("wearable-jetson-16-clouds")
    assert [node.name for node in topology.trusted] == ["wearable", "jetson"]
    first = topology.channels[topology.route("wearable", "aws-metro-t4").channels[0]]
    assert first.target == "jetson"
    plain = load("jetson-16-clouds")
    assert set(plain.nodes) < set(topology.nodes)
    assert set(plain.links) < set(topology.links)


def test_the_orin_nano_has_an_asymmetric_line() -> None:
    topology = load("orin-nano-4-clouds")
    assert len(topology.clouds) == 4
    for cloud in topology.clouds:
        assert topology.route("orin-nano", cloud.name).rate_bits_per_s == 100e6
        assert topology.route(cloud.name, "orin-nano").rate_bits_per_s == 300e6


def test_the_phone_reaches_clouds_through_the_trusted_edge() -> None:
    topology = load("phone-lte-edge-clouds")
    assert [node.name for node in topology.trusted] == ["phone", "edge-server"]
    for cloud in topology.clouds:
        up, down = topology.route("phone", cloud.name), topology.route(cloud.name, "phone")
        assert topology.channels[up.channels[0]].target == "edge-server"
        assert up.rate_bits_per_s < down.rate_bits_per_s
        assert (
            topology.channels[up.channels[0]].energy_j_per_bit
            > topology.channels[down.channels[-1]].energy_j_per_bit
        )


def test_the_metro_has_two_hundred_edges_with_lines_of_their_own() -> None:
    topology = load("metro-200")
    edges = [node for node in topology.nodes if node.role == "edge"]
    assert (len(edges), len(topology.clouds)) == (200, 40)
    assert len({topology.route(edge.name, "cloud-0").channels[0] for edge in edges}) == 200
    assert len(kinds(topology)) >= 5


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(TopologyError) as caught:
        load("jetson-16-cloud")
    assert str(caught.value) == (
        "'jetson-16-cloud' is no shipped topology and no file's path; "
        "did you mean 'jetson-16-clouds'?"
    )


def test_a_path_is_read_whether_text_or_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    write_topology(load("orin-nano-4-clouds"), path)
    assert load(path) == load(str(path)) == load("orin-nano-4-clouds")


@pytest.mark.parametrize("missing", ["missing.yaml", "folder/missing", Path("missing")])
def test_a_missing_file_is_named(missing: str | Path) -> None:
    with pytest.raises(TopologyError, match=r"missing.*: cannot be read: No such file"):
        load(missing)


def test_loading_needs_neither_networkx_nor_topohub() -> None:
    code = (
        "import sys; sys.modules['networkx'] = sys.modules['topohub'] = None\n"
        "from topologies.shipped import load; load('metro-200').route('edge-0', 'cloud-0')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
