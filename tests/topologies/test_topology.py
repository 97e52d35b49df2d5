import copy
import math
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.device import device_named
from topologies.errors import TopologyError
from topologies.topology import Link, Node, Topology

T4 = device_named("t4")
EDGE = Node("edge", "edge", device_named("jetson-nano"))
ISP = Node("isp", "router")
CLOUD = Node("cloud", "cloud", T4)
LINKS = (
    Link("edge", "isp", 100e6, 5e-3, back_rate_bits_per_s=300e6, energy_j_per_bit=1e-6),
    Link("isp", "cloud", 1e9, 10e-3),
)
SMALL = Topology("small", (EDGE, ISP, CLOUD), LINKS)


def refusal(make: Any, *arguments: Any, **fields: Any) -> str:
    with pytest.raises(TopologyError) as caught:
        make(*arguments, **fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_trust_follows_the_role_unless_said() -> None:
    assert EDGE.trusted
    assert Node("camera", "sensor").trusted
    assert not CLOUD.trusted
    assert not ISP.trusted
    assert Node("own", "cloud", T4, trusted=True).trusted
    assert not Node("rented", "edge", T4, trusted=False).trusted


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "", "role": "router"}, "a node has no name; give each node one"),
        ({"name": "a", "role": "cluod", "device": T4},
         "node 'a': role 'cluod' is unknown; did you mean 'cloud'?"),
        ({"name": "a", "role": "router", "device": T4},
         "node 'a': a router has no device; remove it or change the role"),
        ({"name": "a", "role": "edge"}, "node 'a': role 'edge' needs a device; name one"),
        ({"name": "a", "role": "cloud"}, "node 'a': role 'cloud' needs a device; name one"),
        ({"name": "a", "role": "cloud", "device": T4, "egress_usd_per_byte": -1.0},
         "node 'a': egress_usd_per_byte is -1.0; it must be finite and at least 0"),
    ],
)  # fmt: skip
def test_a_wrong_node_is_refused(fields: dict[str, Any], message: str) -> None:
    assert refusal(Node, **fields) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": "a"}, "link a->a: a node needs no link to itself; remove it"),
        ({"rate_bits_per_s": 0.0},
         "link a->b: rate_bits_per_s is 0.0; it must be finite and above 0"),
        ({"rate_bits_per_s": math.inf},
         "link a->b: rate_bits_per_s is inf; it must be finite and above 0"),
        ({"back_rate_bits_per_s": -1.0},
         "link a->b: back_rate_bits_per_s is -1.0; it must be finite and above 0"),
        ({"delay_s": -1e-3}, "link a->b: delay_s is -0.001; it must be finite and at least 0"),
        ({"delay_s": math.nan}, "link a->b: delay_s is nan; it must be finite and at least 0"),
        ({"energy_j_per_bit": -1.0},
         "link a->b: energy_j_per_bit is -1.0; it must be finite and at least 0"),
        ({"back_energy_j_per_bit": -1.0},
         "link a->b: back_energy_j_per_bit is -1.0; it must be finite and at least 0"),
        ({"message_bytes": -1}, "link a->b: message_bytes is -1; it must be finite and at least 0"),
        ({"back_message_bytes": -1},
         "link a->b: back_message_bytes is -1; it must be finite and at least 0"),
        ({"jitter_s": -1e-3}, "link a->b: jitter_s is -0.001; it must be finite and at least 0"),
        ({"jitter_s": math.inf}, "link a->b: jitter_s is inf; it must be finite and at least 0"),
        ({"delay_s": 0.1, "jitter_s": 1},
         "link a->b: jitter_s is 1, more than delay_s, 0.1; no packet arrives before it was sent"),
    ],
)  # fmt: skip
def test_a_wrong_link_is_refused(fields: dict[str, Any], message: str) -> None:
    good = {"source": "a", "target": "b", "rate_bits_per_s": 1e6, "delay_s": 0.0}
    assert refusal(Link, **{**good, **fields}) == message


@pytest.mark.parametrize(
    ("nodes", "links", "message"),
    [
        ((EDGE, EDGE), (), "node 'edge' is given twice; rename one"),
        ((ISP, Node("camera", "sensor")), (),
         "no node has a device; give at least one a device"),
        ((), (), "no node has a device; give at least one a device"),
        ((EDGE, ISP), (Link("edge", "ips", 1e6, 0.0),),
         "links.0 (edge->ips): unknown node 'ips'; did you mean 'isp'?"),
        ((EDGE, ISP), (Link("edge", "isp", 1e6, 0.0), Link("isp", "edge", 1e6, 0.0)),
         "links.1 (isp->edge): these nodes are linked already; merge the two links"),
        ((EDGE, ISP, CLOUD), (Link("edge", "isp", 1e6, 0.0),),
         "no path from 'edge' to 'cloud'; add links or remove them"),
        ((EDGE, ISP, CLOUD), (), "no path from 'edge' to 'isp', 'cloud'; add links or remove them"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(nodes: Any, links: Any, message: str) -> None:
    assert refusal(Topology, "t", nodes, links) == f"topology 't': {message}"


def test_messages_back_cost_what_those_there_do_unless_said() -> None:
    same = Link("a", "b", 1e6, 0.0, message_bytes=700)
    other = replace(same, back_message_bytes=0)
    assert [same.message_bytes_of(back=back) for back in (False, True)] == [700, 700]
    assert [other.message_bytes_of(back=back) for back in (False, True)] == [700, 0]
    coded = replace(same, coding_bytes=50)
    other = replace(coded, back_coding_bytes=0)
    assert [coded.coding_bytes_of(back=back) for back in (False, True)] == [50, 50]
    assert [other.coding_bytes_of(back=back) for back in (False, True)] == [50, 0]


def test_a_link_becomes_two_channels_with_rates_of_their_own() -> None:
    forward, backward = SMALL.channels[:2]
    assert (forward.index, forward.name, forward.rate_bits_per_s) == (0, "edge->isp", 100e6)
    assert (backward.index, backward.name, backward.rate_bits_per_s) == (1, "isp->edge", 300e6)
    assert forward.delay_s == backward.delay_s == 5e-3
    assert forward.energy_j_per_bit == backward.energy_j_per_bit == 1e-6


def test_what_the_way_back_leaves_out_is_the_same() -> None:
    _, back = Link("a", "b", 1e6, 0.0, energy_j_per_bit=2.0, back_energy_j_per_bit=0.0).channels(3)
    assert (back.index, back.rate_bits_per_s, back.energy_j_per_bit) == (7, 1e6, 0.0)


def test_channels_stand_at_their_index() -> None:
    assert [channel.index for channel in SMALL.channels] == list(range(4))


def test_nodes_are_found_by_name_and_kind() -> None:
    assert SMALL.node("isp") is ISP
    assert SMALL.clouds == (CLOUD,)
    assert SMALL.trusted == (EDGE,)
    assert refusal(SMALL.node, "clod") == (
        "topology 'small' has no node 'clod'; did you mean 'cloud'?"
    )


def test_a_sensor_without_a_device_computes_nothing() -> None:
    camera = Node("camera", "sensor")
    topology = Topology("t", (camera, EDGE), (Link("camera", "edge", 1e6, 0.0),))
    assert topology.trusted == (EDGE,)


def test_a_route_adds_delays_and_finds_the_bottleneck() -> None:
    up, down = SMALL.route("edge", "cloud"), SMALL.route("cloud", "edge")
    assert up.channels == (0, 2)
    assert down.channels == (3, 1)
    assert up.delay_s == down.delay_s == pytest.approx(15e-3)
    assert (up.rate_bits_per_s, down.rate_bits_per_s) == (100e6, 300e6)


def test_the_route_to_itself_is_empty_and_free() -> None:
    route = SMALL.route("isp", "isp")
    assert (route.channels, route.delay_s, route.rate_bits_per_s) == ((), 0.0, math.inf)


def test_a_route_needs_known_ends() -> None:
    assert "has no node 'x'" in refusal(SMALL.route, "x", "edge")
    assert "has no node 'x'" in refusal(SMALL.route, "edge", "x")


def test_equal_delays_prefer_fewer_channels_then_lower_ones() -> None:
    nodes = (EDGE, *(Node(name, "router") for name in "abc"), CLOUD)
    links = (
        Link("edge", "b", 1e6, 1.0), Link("b", "cloud", 1e6, 1.0),  # second best: a comes later
        Link("edge", "a", 1e6, 1.0), Link("a", "cloud", 1e6, 1.0),
        Link("a", "c", 1e6, 0.0), Link("c", "cloud", 1e6, 1.0),
    )  # fmt: skip
    assert Topology("t", nodes, links).route("edge", "cloud").channels == (0, 2)


def test_any_node_forwards() -> None:
    relay = Node("relay", "cloud", T4)
    links = (Link("edge", "relay", 1e6, 1.0), Link("relay", "cloud", 1e6, 1.0))
    assert Topology("t", (EDGE, relay, CLOUD), links).route("edge", "cloud").channels == (0, 2)


def test_a_topology_is_a_value() -> None:
    twin = Topology("small", (EDGE, ISP, CLOUD), LINKS)
    SMALL.route("edge", "cloud")  # what is cached takes no part
    assert twin == SMALL
    assert hash(twin) == hash(SMALL)
    assert replace(SMALL, name="other") != SMALL
    assert pickle.loads(pickle.dumps(SMALL)) == SMALL  # noqa: S301 - our own bytes
    assert copy.deepcopy(SMALL).route("edge", "cloud") == SMALL.route("edge", "cloud")
    assert Topology("small", [EDGE, ISP, CLOUD], list(LINKS)) == SMALL  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        SMALL.name = "x"  # type: ignore[misc]


def test_the_graph_carries_the_fields() -> None:
    graph = SMALL.graph()
    assert list(graph) == ["edge", "isp", "cloud"]
    assert graph.nodes["cloud"]["device"] is T4
    assert graph.edges["isp", "edge"]["rate_bits_per_s"] == 100e6
    assert graph.edges["isp", "edge"]["source"] == "edge"


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Draw connected topologies with delays of whole milliseconds, ties included."""
    count = draw(st.integers(2, 12))
    delays = st.integers(0, 4).map(lambda milliseconds: milliseconds / 1024)
    pairs = {(draw(st.integers(0, end - 1)), end) for end in range(1, count)}
    every = [(a, b) for b in range(count) for a in range(b)]
    pairs |= draw(st.sets(st.sampled_from(every)))
    links = [Link(f"n{a}", f"n{b}", draw(st.floats(1, 1e9)), draw(delays)) for a, b in pairs]
    nodes = tuple(Node(f"n{number}", "cloud", T4) for number in range(count))
    return Topology("random", nodes, tuple(draw(st.permutations(links))))


@given(topologies())
def test_routes_are_as_short_as_networkx_finds_them(topology: Topology) -> None:
    lengths = dict(networkx.all_pairs_dijkstra_path_length(topology.graph(), weight="delay_s"))
    for a in topology.nodes:
        for b in topology.nodes:
            route = topology.route(a.name, b.name)
            assert route.delay_s == lengths[a.name][b.name]
            hops = [topology.channels[index] for index in route.channels]
            assert sum(hop.delay_s for hop in hops) == route.delay_s
            assert [a.name, *(hop.target for hop in hops)] == [
                *(hop.source for hop in hops), b.name]  # fmt: skip
            assert route.rate_bits_per_s == min(
                (hop.rate_bits_per_s for hop in hops), default=math.inf
            )


@given(topologies())
def test_routes_do_not_depend_on_what_was_asked_before(topology: Topology) -> None:
    fresh = replace(topology)
    names = [node.name for node in topology.nodes]
    asked = {(a, b): topology.route(a, b) for a in names for b in names}
    assert asked == {(a, b): fresh.route(a, b) for a in reversed(names) for b in names}
