from typing import Any

import pytest

from topologies.builders import BUILDERS, Region, build, metro, multi_region, star, three_tier
from topologies.documents import DocumentError
from topologies.errors import TopologyError
from topologies.propagation import FIBRE_DELAY_S_PER_M, fibre_delay_s


def test_light_takes_five_microseconds_per_kilometre() -> None:
    assert pytest.approx(5e-9) == FIBRE_DELAY_S_PER_M
    assert fibre_delay_s(1000e3) == pytest.approx(5e-3)


def test_a_star_shares_no_link() -> None:
    topology = star(edge="jetson-nano", clouds=["t4", "l4"], rate_bits_per_s=1e9, delay_s=1e-3)
    routes = [topology.route("edge", cloud.name) for cloud in topology.clouds]
    assert [route.channels for route in routes] == [(0,), (2,)]
    assert [cloud.device and cloud.device.name for cloud in topology.clouds] == ["t4", "l4"]


def test_three_tiers_share_the_access_link() -> None:
    topology = three_tier(
        sensor="wearable-camera", edge="jetson-nano", clouds=["t4", "t4"],
        radio_rate_bits_per_s=50e6, radio_delay_s=2e-3, radio_back_rate_bits_per_s=60e6,
        access_rate_bits_per_s=100e6, access_delay_s=5e-3, access_back_rate_bits_per_s=300e6,
        cloud_rate_bits_per_s=1e9, cloud_delay_s=10e-3,
    )  # fmt: skip
    assert [node.name for node in topology.trusted] == ["sensor", "edge"]
    up, down = topology.route("sensor", "cloud-1"), topology.route("cloud-1", "edge")
    assert up.delay_s == pytest.approx(17e-3)
    assert (up.rate_bits_per_s, down.rate_bits_per_s) == (50e6, 300e6)
    assert topology.route("edge", "isp").channels[0] in up.channels


def test_a_sensor_may_compute_nothing() -> None:
    topology = three_tier(
        sensor=None, edge="jetson-nano", clouds=["t4"], radio_rate_bits_per_s=1e6, radio_delay_s=0,
        access_rate_bits_per_s=1e6, access_delay_s=0, cloud_rate_bits_per_s=1e6, cloud_delay_s=0,
    )  # fmt: skip
    assert topology.node("sensor").device is None


def test_regions_lie_as_far_as_light_travels() -> None:
    far = Region(name="far", distance="3000km", clouds=("t4", "l4"), provider="aws")  # type: ignore[call-arg, arg-type]
    topology = multi_region(
        edge="jetson-nano", regions=[far], access_rate_bits_per_s=1e9, access_delay_s=2e-3
    )
    assert topology.route("edge", "far").delay_s == pytest.approx(17e-3)
    assert topology.route("edge", "far-2").delay_s == pytest.approx(17.5e-3)
    assert topology.node("far-1").provider == "aws"


def test_a_metro_gives_each_edge_its_own_line() -> None:
    topology = metro(edges=30, clouds=8, aggregations=3, regions=2)
    edges = [node for node in topology.nodes if node.role == "edge"]
    first = {topology.route(edge.name, "cloud-0").channels[0] for edge in edges}
    assert len(edges) == len(first) == 30
    assert len(topology.clouds) == 8
    assert len({node.region for node in topology.clouds}) == 2
    assert topology.route("cloud-0", "edge-0").rate_bits_per_s == 1e9


def test_the_same_numbers_give_the_same_metro() -> None:
    assert metro(edges=5, clouds=2) == metro(edges=5, clouds=2)
    assert metro(edges=1, clouds=1, regions=1, aggregations=1).route("edge-0", "cloud-0")


def test_documents_name_builders_and_give_units() -> None:
    parameters = {"edge": "jetson-nano", "clouds": ["t4"], "rate": "1Gbit/s", "delay": "1ms"}
    expected = star(edge="jetson-nano", clouds=["t4"], rate_bits_per_s=1e9, delay_s=1e-3)
    assert build("star", parameters, "a.yaml") == expected


def test_documents_nest_regions() -> None:
    parameters = {"edge": "jetson-nano", "access_rate": "1Gbit/s", "access_delay": "2ms",
                  "regions": [{"name": "near", "distance": "200km", "clouds": ["t4"]}]}  # fmt: skip
    topology = build("multi_region", parameters, "a.yaml")
    assert topology.route("edge", "near").delay_s == pytest.approx(3e-3)


@pytest.mark.parametrize(
    ("builder", "parameters", "message"),
    [
        ("town", {},
         "unknown builder 'town'; use one of 'metro', 'multi_region', 'star', 'three_tier'"),
        ("metro", {"edges": 0},
         "parameters: edges: got 0: input should be greater than or equal to 1"),
        ("metro", {"edgs": 3}, "parameters: edgs: unknown key; did you mean 'edges'?"),
        ("metro", {"access_delay": 2},
         "parameters: access_delay: 2 has no unit; write it like '320ms'"),
        ("star", {}, "parameters: edge: missing; add it"),
        ("star", {"edge": "jetson-nno", "clouds": [], "rate": "1bit/s", "delay": "0s"},
         "parameters: unknown device 'jetson-nno'; did you mean 'jetson-nano'?"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(
    builder: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        build(builder, parameters, "a.yaml")
    assert str(caught.value) == f"a.yaml: {message}"


def test_builders_refuse_unknown_devices_in_python_too() -> None:
    with pytest.raises(TopologyError, match="unknown device"):
        metro(cloud_devices=["t5000"])


def test_every_builder_is_listed_by_its_own_name() -> None:
    assert {name: builder.__name__ for name, builder in BUILDERS.items()} == {
        name: name for name in BUILDERS
    }
