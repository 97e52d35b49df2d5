"""A world in slow motion is the same world: what waits and travels in it stays what it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import small_topology
from topologies.dilation import slowed
from topologies.errors import TopologyError
from topologies.schedules import Schedule
from topologies.shipped import load
from topologies.topology import Link, Topology

LINK = Link(
    "edge", "router", 8e6, 0.010, 4e6, loss=0.01, jitter_s=0.002, queue_bytes=9000,
    schedule=Schedule((0.0, 2.0), (8e6, 0.0), (0.010, 0.020), period_s=3.0), message_bytes=70,
)  # fmt: skip


def with_link(link: Link) -> Topology:
    small = small_topology()
    return Topology(small.name, small.nodes, (link, *small.links[1:]))


def test_links_are_slower_and_longer_and_hold_as_much() -> None:
    link = slowed(with_link(LINK), 4.0).links[0]
    assert (link.rate_bits_per_s, link.back_rate_bits_per_s) == (2e6, 1e6)
    assert (link.delay_s, link.jitter_s) == (0.040, 0.008)
    assert link.schedule == Schedule((0.0, 8.0), (2e6, 0.0), (0.040, 0.080), period_s=12.0)
    assert (link.loss, link.queue_bytes, link.message_bytes) == (0.01, 9000, 70)


@given(st.floats(1.0, 100.0))
def test_what_is_on_the_way_at_one_moment_is_as_much(factor: float) -> None:
    known = load("jetson-16-clouds")
    for before, after in zip(known.channels, slowed(known, factor).channels, strict=True):
        there = before.rate_bits_per_s * before.delay_s
        assert after.rate_bits_per_s * after.delay_s == pytest.approx(there, rel=1e-12)


def test_nodes_and_routes_are_the_same() -> None:
    known = load("jetson-16-clouds")
    dilated = slowed(known, 10.0)
    assert dilated.nodes == known.nodes
    ends = ("jetson", "gcp-far-a100")
    assert dilated.route(*ends).channels == known.route(*ends).channels


def test_at_its_own_pace_a_world_is_the_very_same() -> None:
    known = load("small-sam")
    assert slowed(known, 1.0) is known


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_what_is_no_dilation_is_refused(factor: float) -> None:
    with pytest.raises(TopologyError, match="finite and above 0"):
        slowed(load("small-sam"), factor)
