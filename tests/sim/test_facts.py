"""What a step costs, against numbers worked out by hand."""

import pytest

from sim.facts import step_facts
from sim.plan import Compute, Transfer
from tests.conftest import device
from topologies.topology import Link, Node, Topology
from workloads.stage import Payload, Stage

MEGABYTE = Payload("pixels", (0,), fixed_bytes=1e6)


@pytest.fixture
def world() -> Topology:
    """Two trusted nodes and two clouds in a row: sensor, edge, router, a, b."""
    return Topology(
        "row",
        nodes=(
            Node("sensor", "sensor"),
            Node("edge", "edge", device("two-slots", 1e12, slots=2, price_usd_per_h=None)),
            Node("router", "router"),
            Node("a", "cloud", device("a", 2e12, slots=4), egress_usd_per_byte=1e-9),
            Node("b", "cloud", device("b", 1e12), egress_usd_per_byte=2e-9),
        ),
        links=(
            Link("sensor", "edge", 8e6, 0.001, energy_j_per_bit=4e-6),
            Link("edge", "router", 8e6, 0.010, energy_j_per_bit=1e-6, back_energy_j_per_bit=3e-6),
            Link("router", "a", 8e7, 0.020, energy_j_per_bit=5e-7),
            Link("router", "b", 8e7, 0.030, energy_j_per_bit=2e-7),
        ),
    )


def test_a_computation_draws_what_its_slot_takes_above_idle(world: Topology) -> None:
    on_edge = step_facts(Compute("edge", (Stage("s", 1e12, 0.0),)), world)
    assert (on_edge.kind, on_edge.node) == ("compute", "edge")
    assert on_edge.power_w == pytest.approx((110 - 10) / 2)
    assert step_facts(Compute("b", (Stage("s", 1.0, 0.0),)), world).power_w == pytest.approx(100)


def test_a_computation_costs_its_slots_share_of_the_hourly_price(world: Topology) -> None:
    stages = (Stage("s", 1.0, 0.0),)
    assert step_facts(Compute("a", stages), world).usd_per_s == pytest.approx(3.6 / 3600 / 4)
    assert step_facts(Compute("b", stages), world).usd_per_s == pytest.approx(3.6 / 3600)
    assert step_facts(Compute("edge", stages), world).usd_per_s == 0.0


def test_a_computation_sums_up_its_stages_and_names_each_kind_once(world: Topology) -> None:
    stages = (Stage("x", 1e9, 0.0), Stage("y", 2e9, 0.0), Stage("x", 4e9, 0.0))
    facts = step_facts(Compute("edge", stages), world)
    assert facts.flops == pytest.approx(7e9)
    assert facts.stage == "x+y"
    assert facts.bytes == facts.fixed_j == facts.fixed_usd == 0.0
    assert facts.source == facts.target == ""


def test_a_transfer_takes_energy_on_every_channel_of_its_route(world: Topology) -> None:
    up = step_facts(Transfer("sensor", "a", MEGABYTE), world)
    assert up.fixed_j == pytest.approx(8e6 * (4e-6 + 1e-6 + 5e-7))
    down = step_facts(Transfer("a", "edge", MEGABYTE), world)
    assert down.fixed_j == pytest.approx(8e6 * (5e-7 + 3e-6))


def test_a_transfer_costs_the_egress_of_its_source(world: Topology) -> None:
    assert step_facts(Transfer("b", "edge", MEGABYTE), world).fixed_usd == pytest.approx(2e-3)
    assert step_facts(Transfer("a", "b", MEGABYTE), world).fixed_usd == pytest.approx(1e-3)
    assert step_facts(Transfer("edge", "b", MEGABYTE), world).fixed_usd == 0.0


@pytest.mark.parametrize(
    ("source", "target", "up", "down"),
    [
        ("edge", "a", 1e6, 0.0),
        ("sensor", "b", 1e6, 0.0),
        ("a", "edge", 0.0, 1e6),
        ("a", "b", 0.0, 0.0),
        ("sensor", "edge", 0.0, 0.0),
        ("edge", "router", 1e6, 0.0),
    ],
)
def test_up_is_out_of_trust_and_down_is_back(
    world: Topology, source: str, target: str, up: float, down: float
) -> None:
    facts = step_facts(Transfer(source, target, MEGABYTE), world)
    assert (facts.kind, facts.source, facts.target) == ("transfer", source, target)
    assert facts.stage == "pixels"
    assert facts.bytes == 1e6
    assert (facts.bytes_up, facts.bytes_down) == (up, down)


def test_a_transfer_is_as_large_as_its_codec_makes_it(world: Topology) -> None:
    payload = Payload("tokens", (0,), elements=1000, tokens=10, fixed_bytes=5.0)
    sizes = {
        codec: step_facts(Transfer("edge", "a", payload, codec), world).bytes
        for codec in ("fp32", "fp16", "int8", "int4")
    }
    assert sizes == {"fp32": 4005.0, "fp16": 2005.0, "int8": 1045.0, "int4": 545.0}


def test_a_node_without_a_device_cannot_have_computed(world: Topology) -> None:
    with pytest.raises(ValueError, match="'router' computed a step, but has no device"):
        step_facts(Compute("router", (Stage("s", 1.0, 0.0),)), world)
