import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topologies.device import Device, catalogue, device_named
from topologies.documents import DocumentError
from topologies.files import read_topology, write_topology
from topologies.graphml import read_graphml, write_graphml
from topologies.shipped import load, shipped_names
from topologies.topology import Link, Node, Topology
from topologies.topology_document import json_schema, topology_from

FORMATS = {
    "yaml": (write_topology, read_topology),
    "json": (write_topology, read_topology),
    "graphml": (write_graphml, read_graphml),
}
OWN = Device("own", "gpu", {"fp16": 1.5e12}, 10**9, 1e11, 5.0, 50.0, 0.5, 1e-5, sources={
    "peak_flops_per_s": "measured (2025-01)"})  # fmt: skip

names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1).filter(
    lambda name: name == name.strip()
)
finite = st.floats(0, 1e6)
rates = st.floats(min_value=1, max_value=1e12)
counts = st.integers(0, 10**9)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Draw trees of every role, with devices from the catalogue and of one's own."""
    devices = st.sampled_from([*catalogue().values(), OWN])
    nodes = []
    for number, name in enumerate(draw(st.lists(names, min_size=1, max_size=6, unique=True))):
        role = "edge" if number == 0 else draw(st.sampled_from(["sensor", "cloud", "router"]))
        device = None if role == "router" else draw(devices)
        nodes.append(Node(name, role, device, draw(st.booleans()), draw(names), draw(names),
                          draw(finite)))  # fmt: skip
    links = [
        Link(nodes[draw(st.integers(0, number - 1))].name, node.name, draw(rates), delay_s,
             draw(st.none() | rates), draw(finite), draw(st.none() | finite),
             jitter_s=delay_s * draw(st.floats(0, 1)),
             message_bytes=draw(counts), back_message_bytes=draw(st.none() | counts),
             coding_bytes=draw(counts), back_coding_bytes=draw(st.none() | counts))
        for number, node in enumerate(nodes) if number for delay_s in [draw(finite)]
    ]  # fmt: skip
    turned = [draw(st.sampled_from([x, replace(x, source=x.target, target=x.source)]))
              for x in links]  # fmt: skip
    order = tuple(draw(st.permutations(turned)))
    return Topology(draw(names), tuple(nodes), order, draw(st.just("") | names))


@pytest.mark.parametrize("suffix", FORMATS)
@given(topology=topologies())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_is_read_back_equal(
    tmp_path: Path, suffix: str, topology: Topology
) -> None:
    write, read = FORMATS[suffix]
    path = tmp_path / f"topology.{suffix}"
    write(topology, path)
    assert read(path) == topology


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", shipped_names())
def test_shipped_topologies_survive_every_format(tmp_path: Path, name: str, suffix: str) -> None:
    write, read = FORMATS[suffix]
    path = tmp_path / f"topology.{suffix}"
    write(load(name), path)
    assert read(path) == load(name)


def test_yaml_names_devices_and_gives_units(tmp_path: Path) -> None:
    write_topology(load("orin-nano-4-clouds"), tmp_path / "t.yaml")
    text = (tmp_path / "t.yaml").read_text()
    assert "device: jetson-orin-nano-8gb\n" in text
    assert "rate: 100Mbit/s\n" in text
    assert "trusted:" not in text


def test_messages_are_given_as_sizes() -> None:
    link = "{source: a, target: b, rate: 1Mbit/s, delay: 0s, message: 1KiB, back_message: 0B}"
    nodes = "[{name: a, role: edge, device: t4}, {name: b, role: router}]"
    made = topology_from(yaml.safe_load(f"{{name: t, nodes: {nodes}, links: [{link}]}}"), "t.yaml")
    assert (made.links[0].message_bytes, made.links[0].back_message_bytes) == (1024, 0)


def test_json_is_networkx_node_link_data(tmp_path: Path) -> None:
    topology = load("orin-nano-4-clouds")
    write_topology(topology, tmp_path / "t.json")
    data = json.loads((tmp_path / "t.json").read_text())
    graph = networkx.node_link_graph(data, edges="edges")
    assert set(graph) == {node.name for node in topology.nodes}
    assert graph.number_of_edges() == len(topology.links)


def test_writing_replaces_the_file_whole_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("old")
    write_topology(load("orin-nano-4-clouds"), path)
    assert read_topology(path) == load("orin-nano-4-clouds")
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.yaml"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").mkdir()
    with pytest.raises(DocumentError, match=r"t\.yaml: cannot be written: "):
        write_topology(load("orin-nano-4-clouds"), tmp_path / "t.yaml")
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.yaml"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"cannot be written: No such file or directory"):
        write_topology(load("orin-nano-4-clouds"), tmp_path / "no" / "t.yaml")


EDGE = {"name": "e", "role": "edge", "device": "jetson-nano"}
CLOUD = {"name": "c", "role": "cloud", "device": "t4"}
LINK = {"source": "e", "target": "c", "rate": "1Gbit/s", "delay": "1ms"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": [EDGE, {**CLOUD, "devise": "t4"}]},
         "nodes.1.devise: unknown key; did you mean 'device'?"),
        ({"nodes": [EDGE, {**CLOUD, "device": {"name": "x", "memry": "1GB"}}]},
         "nodes.1.device.memry: unknown key; did you mean 'memory'?"),
        ({"nodes": [EDGE, {**CLOUD, "device": "t44"}]},
         "unknown device 't44'; did you mean 't4'?"),
        ({"nodes": [EDGE, {**CLOUD, "role": "clouds"}]},
         "nodes.1.role: got 'clouds': input should be 'sensor', 'edge', 'cloud' or 'router'"),
        ({"links": [{**LINK, "rate": 1000}]},
         "links.0.rate: 1000 has no unit; write it like '200Mbit/s'"),
        ({"links": [{**LINK, "rate": "0bit/s"}]},
         "link e->c: rate_bits_per_s is 0.0; it must be finite and above 0"),
        ({"links": []}, "topology 't': no path from 'e' to 'c'; add links or remove them"),
        ({"builder": "metro"}, "give a builder or nodes and links, not both"),
        ({"nodes": [], "links": []}, "there are no nodes; list them or name a builder"),
        ({"parameters": {"edges": 3}}, "parameters need a builder; name one"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused(changes: dict[str, Any], message: str) -> None:
    document = {"name": "t", "nodes": [EDGE, CLOUD], "links": [LINK], **changes}
    with pytest.raises(DocumentError) as caught:
        topology_from(document, "t.yaml")
    assert str(caught.value).startswith(f"t.yaml: {message}")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "no node-link graph; it needs the keys graph, nodes, edges"),
        ({"nodes": []}, "no node-link graph; it needs the keys graph, nodes, edges"),
        ({"graph": {}, "directed": True}, "directed is true; links are undirected and single"),
        ({"graph": {}, "multigraph": True}, "multigraph is true; links are undirected and single"),
        ({"graph": {}, "links": []}, "links: unknown key; node-link JSON has none such"),
        ({"graph": {"name": "t"}, "nodes": [5]}, "nodes.0: got 5: input should be a valid dict"),
        ({"graph": {"name": "t"}, "nodes": 5}, "nodes: got 5: input should be a valid tuple"),
    ],
)
def test_wrong_node_link_data_are_refused(tmp_path: Path, data: object, message: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(data))
    with pytest.raises(DocumentError) as caught:
        read_topology(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_the_json_schema_knows_keys_units_and_builders() -> None:
    schema = json_schema()
    link = schema["$defs"]["LinkDocument"]
    assert set(link["required"]) == {"source", "target", "rate", "delay"}
    assert "Mbit/s" in link["properties"]["rate"]["pattern"]
    assert schema["additionalProperties"] is False
    metro = next(rule for rule in schema["allOf"]
                 if rule["if"]["properties"]["builder"]["const"] == "metro")  # fmt: skip
    assert "access_rate" in metro["then"]["properties"]["parameters"]["properties"]
    references = set(_references(schema))
    assert {name.removeprefix("#/$defs/") for name in references} <= set(schema["$defs"])
    assert json.loads(json.dumps(schema)) == schema


def _references(schema: object) -> list[str]:
    if isinstance(schema, dict):
        own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        return own + [name for value in schema.values() for name in _references(value)]
    if isinstance(schema, list):
        return [name for value in schema for name in _references(value)]
    return []


def test_a_device_of_ones_own_is_written_whole(tmp_path: Path) -> None:
    slower = replace(device_named("t4"), efficiency=0.1)
    topology = Topology("t", (Node("e", "edge", slower),), ())
    write_topology(topology, tmp_path / "t.yaml")
    assert "efficiency: 0.1" in (tmp_path / "t.yaml").read_text()
    assert read_topology(tmp_path / "t.yaml") == topology
