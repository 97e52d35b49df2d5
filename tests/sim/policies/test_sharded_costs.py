"""What a shard is predicted to cost: shortcuts for clouds that are alike change no bit."""

from dataclasses import replace

import pytest

from sim.cost import Roofline
from sim.policies.pricing import shard_cost, twins
from sim.policies.sharded import Sharded
from sim.policy import Estimates
from topologies.builders import metro
from topologies.shipped import load
from topologies.topology import Link, Topology
from workloads.arrivals import Poisson
from workloads.catalogue import workload_named
from workloads.codec import codec_named
from workloads.sam.modes import rounds

MODEL = workload_named("sam-vit-b", Poisson(1.0), 1).model
CITY = metro(edges=6, clouds=45, aggregations=2, regions=4)
SHARDS = [(0,), (3, 7), (24,), (0, 1, 2, 3, 4)]


def doubly_linked() -> Topology:
    """Return the city with a second link at one of two clouds that were alike."""
    extra = Link("core", "cloud-20", 1e9, 1e-4)
    return replace(CITY, links=(*CITY.links, extra))


@pytest.mark.parametrize("mode", ["deferred", "exact"])
@pytest.mark.parametrize(
    ("topology", "edge"),
    [(CITY, "edge-3"), (doubly_linked(), "edge-3"), (load("jetson-16-clouds"), "jetson")],
)
def test_a_shard_costs_what_its_transfers_and_its_stage_take(
    topology: Topology, edge: str, mode: str
) -> None:
    rates = [channel.rate_bits_per_s for channel in topology.channels]
    rates[-1] /= 3.0  # believed to be slower than it was built
    world = Estimates(topology, Roofline(), tuple(rates))
    policy, codec = Sharded(mode, codec="int8"), codec_named("int8")
    cost_s = shard_cost(policy.rounds_of(MODEL), policy.codec, edge, world, {})
    for cloud in topology.clouds:
        for shard in SHARDS:
            assert cost_s(cloud.name, shard) == sum(
                world.transfer_s(edge, cloud.name, part.up(shard).encoded_bytes(codec))
                + world.seconds((part.compute(shard),), cloud.name)
                + world.transfer_s(cloud.name, edge, part.down(shard).encoded_bytes(codec))
                for part in rounds(MODEL, mode).rounds
            )


def test_clouds_alike_are_found_and_others_are_not() -> None:
    rates = tuple(channel.rate_bits_per_s for channel in CITY.channels)
    found = twins(Estimates(CITY, Roofline(), rates))
    assert found["cloud-20"] == ("cloud-0", "cloud-0")  # five devices in turn, four regions
    assert found["cloud-5"] == ("cloud-5", "cloud-0")
    assert found["cloud-1"] == ("cloud-1", "cloud-1")
    slower = (*rates[:-2], rates[-2] / 2, rates[-1])
    assert twins(Estimates(CITY, Roofline(), slower))["cloud-44"] == ("cloud-44", "cloud-4")
    both = doubly_linked()
    rates = tuple(channel.rate_bits_per_s for channel in both.channels)
    assert twins(Estimates(both, Roofline(), rates))["cloud-20"] == ("cloud-20", "cloud-0")
