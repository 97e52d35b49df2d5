"""A topology as Mininet describes networks, and the topologies that Mininet cannot be."""

from typing import Any

import pytest

pytest.importorskip("mininet", reason="pip install 'tessera[real]'")

from real_runner.links.mininet.topo import topo_of
from sim.errors import ScenarioError
from tests.real_runner.links.conftest import world
from topologies.schedules import Schedule
from topologies.shipped import load
from topologies.topology import Link


def test_hosts_switches_and_links_are_those_of_the_topology() -> None:
    topology = load("small-sam")
    topo = topo_of(topology)
    assert topo.switches() == ["isp"]
    assert sorted(topo.hosts()) == sorted(n.name for n in topology.nodes if n.role != "router")
    assert {frozenset(ends) for ends in topo.links()} == {
        frozenset((link.source, link.target)) for link in topology.links
    }
    assert topo.nodeInfo("pi")["ip"] == "198.18.0.1/15"


def test_each_direction_of_a_link_has_its_parameters() -> None:
    link = Link(
        "a", "r", 20e6, 0.005, back_rate_bits_per_s=10e6, jitter_s=0.001, loss=0.01,
        queue_bytes=3000,
    )  # fmt: skip
    topo = topo_of(world(link, routers=["r"]))
    found = topo.linkInfo("a", "r")
    assert (found["node1"], found["node2"]) == ("a", "r")
    both = {"delay": "5000us", "jitter": "1000us", "loss": 1.0, "max_queue_size": 2}
    assert found["params1"] == {"bw": 20.0, **both}
    assert found["params2"] == {"bw": 10.0, **both}


@pytest.mark.parametrize(
    ("links", "routers", "reason"),
    [
        ([("a", "b"), ("b", "c")], [], "node 'b': 2 links"),
        ([("a", "r"), ("r", "s"), ("s", "t"), ("t", "r")], "rst", "link t->r: closes a circle"),
        ([("a", "a-long-name"), ("a-long-name", "b")], ["a-long-name"], "node 'a-long-name': a"),
    ],
)
def test_a_topology_that_mininet_cannot_be_is_refused_by_name(
    links: list[tuple[str, str]], routers: list[str], reason: str
) -> None:
    with pytest.raises(ScenarioError, match=reason):
        topo_of(world(*(Link(*ends, 1e6, 0.001) for ends in links), routers=routers))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rate_bits_per_s": 2e9}, "rate_bits_per_s"),
        ({"back_rate_bits_per_s": 2e9}, "rate_bits_per_s"),
        ({"duplex": "half"}, "duplex"),
        ({"schedule": Schedule((0.0,), (1e6,), (), None)}, "schedule"),
    ],
)
def test_what_mininets_own_links_ignore_is_refused_by_link_and_field(
    changes: dict[str, Any], field: str
) -> None:
    link = Link(**{"source": "a", "target": "r", "rate_bits_per_s": 1e6, "delay_s": 0.0} | changes)
    with pytest.raises(ScenarioError, match=f"link a->r: {field}: "):
        topo_of(world(link, routers=["r"]))
