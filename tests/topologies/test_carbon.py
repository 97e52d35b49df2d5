"""Carbon intensity: a value, what a file may say of it, and whom it holds for."""

from pathlib import Path
from typing import Any

import pytest

from topologies.carbon import CarbonIntensity
from topologies.device import device_named
from topologies.errors import TopologyError
from topologies.files import read_topology, write_topology
from topologies.graphml import read_graphml, write_graphml
from topologies.topology import Link, Node, Topology
from topologies.topology_document import topology_from

FLAT = CarbonIntensity((350.0,), source="assumption")
DAY = CarbonIntensity((120.0, 300.0), (0.0, 21600.0), 86400.0, "a grid operator")

EDGE = {"name": "e", "role": "edge", "device": "jetson-nano"}
CLOUD = {"name": "c", "role": "cloud", "device": "t4", "region": "north"}
LINK = {"source": "e", "target": "c", "rate": "1Gbit/s", "delay": "1ms"}


def document(carbon: dict[str, Any]) -> dict[str, Any]:
    return {"name": "t", "nodes": [EDGE, CLOUD], "links": [LINK], "carbon": carbon}


def refusal(carbon: dict[str, Any], folder: Path = Path()) -> str:
    with pytest.raises(TopologyError) as caught:
        topology_from(document(carbon), "t.yaml", folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"g_per_kwh": (1.0,)}, "no source; name one, or say 'assumption'"),
        ({"g_per_kwh": (), "starts_s": (), "source": "x"}, "0 values for 0 moments"),
        ({"g_per_kwh": (1.0, 2.0), "source": "x"}, "2 values for 1 moments"),
        ({"g_per_kwh": (-1.0,), "source": "x"}, "-1.0 g/kWh; it must be finite and at least 0"),
        ({"g_per_kwh": (1.0,), "starts_s": (5.0,), "source": "x"}, "begins at 5.0 s; give a value"),
        ({"g_per_kwh": (1.0, 2.0), "starts_s": (0.0, 0.0), "source": "x"}, "moments must rise"),
        ({"g_per_kwh": (1.0, 2.0), "starts_s": (0.0, 9.0), "period_s": 9.0, "source": "x"},
         "9.0 s follows 9.0 s; moments must rise, and the period must be later"),
    ],
)  # fmt: skip
def test_an_impossible_intensity_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TopologyError) as caught:
        CarbonIntensity(**fields)
    assert message in str(caught.value)


def test_a_node_s_own_goes_before_its_region_s_and_that_before_the_rest() -> None:
    nodes = (
        Node("e", "edge", device_named("jetson-nano")),
        Node("c", "cloud", device_named("t4"), region="north"),
        Node("d", "cloud", device_named("t4"), region="north"),
    )
    links = (Link("e", "c", 1e9, 0.0), Link("c", "d", 1e9, 0.0))
    other = CarbonIntensity((1.0,), source="x")
    grids = {"elsewhere": FLAT, "north": DAY, "d": other}
    topology = Topology("t", nodes, links, carbon=grids)
    assert [topology.carbon_of(name) for name in "ecd"] == [FLAT, DAY, other]
    assert Topology("t", nodes, links).carbon_of("e") is None
    assert hash(topology) == hash(Topology("t", nodes, links, carbon=dict(grids)))


def test_a_file_gives_a_constant_steps_or_another_file(tmp_path: Path) -> None:
    (tmp_path / "north.csv").write_text("start_s,g_per_kwh\n0,120\n21600,300\n")
    steps = {"steps": [["0s", "120g/kWh"], ["6h", "300kg/MWh"]], "period": "24h"}
    flat = {"constant": "350g/kWh", "source": "assumption"}
    for north in (steps, {"file": "north.csv", "period": "24h"}):
        carbon = {"elsewhere": flat, "north": {**north, "source": "a grid operator"}}
        topology = topology_from(document(carbon), "t.yaml", tmp_path)
        assert topology.carbon == {"elsewhere": FLAT, "north": DAY}


@pytest.mark.parametrize("name", ["t.yaml", "t.json", "t.graphml"])
def test_carbon_survives_every_format(tmp_path: Path, name: str) -> None:
    nodes = (
        Node("e", "edge", device_named("jetson-nano"), billing="reserved", request_price_usd=2e-7),
        Node("c", "cloud", device_named("t4"), region="north"),
    )
    links = (Link("e", "c", 1e9, 0.0),)
    topology = Topology("t", nodes, links, carbon={"elsewhere": FLAT, "north": DAY})
    path = tmp_path / name
    (write_graphml if name == "t.graphml" else write_topology)(topology, path)
    assert (read_graphml if name == "t.graphml" else read_topology)(path) == topology


FLAT_FILE = {"constant": "350g/kWh", "source": "x"}


@pytest.mark.parametrize(
    ("carbon", "message"),
    [
        ({"nroth": FLAT_FILE}, "carbon: no node or region 'nroth'; did you mean 'north'?"),
        ({"north": FLAT_FILE},
         "carbon: no intensity for node 'e'; add one for its region, or for 'elsewhere'"),
        ({"elsewhere": {"constant": "350g/kWh"}}, "carbon.elsewhere.source: missing; add it"),
        ({"elsewhere": {"source": "x"}}, "give exactly one of constant, steps and file"),
        ({"elsewhere": {**FLAT_FILE, "file": "x.csv"}},
         "give exactly one of constant, steps and file"),
        ({"elsewhere": {**FLAT_FILE, "period": "1h"}}, "a constant has no period; remove it"),
        ({"elsewhere": {"constant": 350, "source": "x"}},
         "350 has no unit; write it like '350g/kWh'"),
        ({"elsewhere": {"steps": [["1h", "3g/kWh"]], "source": "x"}},
         "carbon.elsewhere: carbon intensity: begins at 3600.0 s"),
        ({"elsewhere": {"file": "no.csv", "source": "x"}}, "no.csv: cannot be read: No such file"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused(carbon: dict[str, Any], message: str) -> None:
    assert message in refusal(carbon)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with ''; write 'start_s,g_per_kwh', then numbers"),
        ("time,g\n0,1\n", "begins with 'time,g'; write 'start_s,g_per_kwh', then numbers"),
        ("start_s,g_per_kwh\n", "begins with 'start_s,g_per_kwh'; write"),
        ("start_s,g_per_kwh\n0,1\n60,much\n", "line 3: '60,much' is no pair of numbers"),
        ("start_s,g_per_kwh\n0,1,2\n", "line 2: '0,1,2' is no pair of numbers"),
    ],
)
def test_a_wrong_series_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "g.csv").write_text(text)
    assert f"g.csv: {message}" in refusal({"elsewhere": {"file": "g.csv", "source": "x"}}, tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"billing": "hourly"}, "node 'a': billing 'hourly' is unknown; use one of"),
        ({"request_price_usd": -1.0}, "node 'a': request_price_usd is -1.0; it must be finite"),
    ],
)
def test_wrong_prices_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TopologyError) as caught:
        Node("a", "cloud", device_named("t4"), **fields)
    assert message in str(caught.value)


def test_a_file_gives_billing_and_a_price_per_request() -> None:
    cloud = {**CLOUD, "billing": "reserved", "request_price": "0.2uUSD"}
    topology = topology_from({"name": "t", "nodes": [EDGE, cloud], "links": [LINK]}, "t.yaml")
    node = topology.node("c")
    assert (node.billing, node.request_price_usd) == ("reserved", pytest.approx(2e-7))
