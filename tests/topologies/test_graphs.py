from pathlib import Path
from typing import Any

import networkx
import pytest

from topologies.device import device_named
from topologies.documents import DocumentError
from topologies.errors import TopologyError
from topologies.graphml import read_graphml, write_graphml
from topologies.graphs import CapacityRule, Placement, from_graph
from topologies.shipped import load
from topologies.topohub_graphs import fibre_links, topohub_topology

JETSON, T4 = device_named("jetson-nano"), device_named("t4")
PLACEMENT = Placement({"a": JETSON}, {"c": T4})
FIXED = CapacityRule(rate_bits_per_s=1e9, delay_s=1e-3)


def graph() -> "networkx.Graph[Any]":
    made: networkx.Graph[Any] = networkx.Graph()
    made.add_edge("a", "b", km=100.0, gbit=10)
    made.add_edge("b", "c", km="200", gbit=1)
    return made


def refusal(make: Any, *arguments: Any, **fields: Any) -> str:
    with pytest.raises(TopologyError) as caught:
        make(*arguments, **fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rules_give_rates_delays_and_machines() -> None:
    topology = from_graph(graph(), "g", FIXED, PLACEMENT)
    assert [node.role for node in topology.nodes] == ["edge", "router", "cloud"]
    assert topology.route("a", "c").delay_s == 2e-3


def test_attributes_are_read_by_the_rule() -> None:
    rule = CapacityRule(rate_attribute="gbit", bits_per_s_per_unit=1e9, distance_attribute="km")
    route = from_graph(graph(), "g", rule, PLACEMENT).route("a", "c")
    assert route.delay_s == pytest.approx(300 * 5e-6)
    assert route.rate_bits_per_s == 1e9


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"delay_s": 0.0}, "CapacityRule: give either rate_bits_per_s or rate_attribute"),
        ({"rate_bits_per_s": 1.0, "rate_attribute": "r", "delay_s": 0.0},
         "CapacityRule: give either rate_bits_per_s or rate_attribute"),
        ({"rate_bits_per_s": 1.0}, "CapacityRule: give either delay_s or distance_attribute"),
        ({"rate_bits_per_s": 1.0, "delay_s": 0.0, "distance_attribute": "d"},
         "CapacityRule: give either delay_s or distance_attribute"),
    ],
)  # fmt: skip
def test_a_rule_is_whole_and_single(fields: dict[str, Any], message: str) -> None:
    assert refusal(CapacityRule, **fields) == message


def test_a_missing_attribute_is_not_guessed() -> None:
    rule = CapacityRule(rate_bits_per_s=1e9, distance_attribute="miles")
    message = "edge a--b: no attribute 'miles'; it has 'km', 'gbit'"
    assert refusal(from_graph, graph(), "g", rule, PLACEMENT) == message


def test_an_attribute_must_be_a_number() -> None:
    made = graph()
    made.edges["a", "b"]["km"] = "far"
    rule = CapacityRule(rate_bits_per_s=1e9, distance_attribute="km")
    message = "edge a--b: km is 'far'; it must be a number"
    assert refusal(from_graph, made, "g", rule, PLACEMENT) == message


def test_machines_stand_on_nodes_that_exist() -> None:
    placement = Placement({"a": JETSON}, {"cc": T4})
    message = "graph 'g' has no node 'cc' to place; did you mean 'c'?"
    assert refusal(from_graph, graph(), "g", FIXED, placement) == message


def test_a_node_has_one_role() -> None:
    placement = Placement({"a": JETSON}, {"a": T4})
    message = "placement: 'a' is edge and cloud; choose one"
    assert refusal(from_graph, graph(), "g", FIXED, placement) == message


def test_names_come_from_an_attribute_all_nodes_have() -> None:
    placement = Placement({"a": JETSON}, name_attribute="label")
    message = "node a: no attribute 'label'; it has none"
    assert refusal(from_graph, graph(), "g", FIXED, placement) == message


def test_directed_graphs_are_refused() -> None:
    message = "graph 'g' is directed; links go both ways: make it undirected"
    assert refusal(from_graph, graph().to_directed(), "g", FIXED, PLACEMENT) == message


def test_parallel_edges_are_refused() -> None:
    made = networkx.MultiGraph([("a", "b"), ("a", "b"), ("b", "c")])
    assert "these nodes are linked already" in refusal(from_graph, made, "g", FIXED, PLACEMENT)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "zoo.graphml"
    networkx.write_graphml(graph(), path)
    return path


def test_foreign_graphml_is_read_under_both_rules(foreign: Path) -> None:
    topology = read_graphml(foreign, CapacityRule(rate_bits_per_s=1e9, distance_attribute="km"),
                            PLACEMENT)  # fmt: skip
    assert topology.name == "zoo"
    assert topology.route("a", "c").delay_s == pytest.approx(300 * 5e-6)


@pytest.mark.parametrize(
    ("capacity", "placement", "missing"),
    [(None, None, "CapacityRule"), (None, PLACEMENT, "CapacityRule"), (FIXED, None, "Placement")],
)
def test_foreign_graphml_without_a_rule_is_refused(
    foreign: Path, capacity: CapacityRule | None, placement: Placement | None, missing: str
) -> None:
    assert refusal(read_graphml, foreign, capacity, placement) == (
        f"{foreign}: a graph without capacities and machines; give a CapacityRule and a Placement "
        f"(no {missing} was given)"
    )


def test_our_own_graphml_also_reads_under_rules(tmp_path: Path) -> None:
    path = tmp_path / "t.graphml"
    write_graphml(load("orin-nano-4-clouds"), path)
    placement = Placement({"orin-nano": JETSON}, {"aws-t4": T4})
    assert read_graphml(path, FIXED, placement).route("orin-nano", "aws-t4").delay_s == 2e-3


def test_errors_in_graphml_name_the_file(foreign: Path) -> None:
    message = refusal(read_graphml, foreign, FIXED, Placement({"x": JETSON}))
    assert message.startswith(f"{foreign}: graph 'zoo' has no node 'x' to place")


def test_unreadable_graphml_is_refused(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(read_graphml, tmp_path / "no.graphml")
    for text in ("<graphml", "<a></a>"):
        path = tmp_path / "bad.graphml"
        path.write_text(text)
        with pytest.raises(DocumentError, match=r"bad\.graphml: no GraphML: "):
            read_graphml(path)


def test_topohub_graphs_take_their_delays_from_kilometres() -> None:
    placement = Placement({"Aachen": JETSON}, {"Koeln": T4}, name_attribute="name")
    topology = topohub_topology("sndlib/germany50", fibre_links(10e9), placement)
    assert len(topology.nodes) == 50
    assert len(topology.links) == 88
    lengths = [link.delay_s / 5e-6 for link in topology.links]
    assert min(lengths) == pytest.approx(25.94)  # the shortest and longest, as topohub's own
    assert max(lengths) == pytest.approx(252.3)  # statistics give them


def test_topohub_nodes_are_named_by_number_unless_said() -> None:
    placement = Placement({"0": JETSON}, {"1": T4})
    assert topohub_topology("topozoo/Abilene", fibre_links(1e9), placement).node("0").role == "edge"


@pytest.mark.parametrize("key", ["sndlib/atlantis", "germany50", ""])
def test_an_unknown_topohub_graph_is_refused(key: str) -> None:
    message = refusal(topohub_topology, key, FIXED, PLACEMENT)
    assert message.startswith(f"unknown topohub graph {key!r}; use a key like ")
