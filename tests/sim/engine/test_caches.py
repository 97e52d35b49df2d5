from dataclasses import replace

import pytest

from sim.engine.caches import Caches
from tests.conftest import small_topology
from topologies.serving import MemoryLimit, Serving
from workloads.stage import Stage


def caches_of(limit_bytes):
    topology = small_topology()
    bounded = Serving(memory=MemoryLimit(caches_bytes=limit_bytes))
    nodes = tuple(
        replace(node, serving=bounded) if node.role == "cloud" else node for node in topology.nodes
    )
    topology = replace(topology, nodes=nodes)
    return Caches(topology), next(node.name for node in nodes if node.role == "cloud")


def round_of(past, new, bytes_per_position=10.0):
    end = past + new
    return (Stage("middle", 1.0, 1.0, blocks=(1, 2), positions=(past, end),
                  cache_bytes=bytes_per_position * end),)  # fmt: skip


def test_a_text_goes_on_where_its_caches_are():
    caches, node = caches_of(1000)
    assert caches.take(node, 1, round_of(0, 5)) == ""
    assert caches.take(node, 1, round_of(5, 1)) == ""
    assert caches.held_bytes(node) == 60.0


def test_the_text_not_worked_on_for_longest_gives_way():
    caches, node = caches_of(100)
    for request in (1, 2):
        assert caches.take(node, request, round_of(0, 5)) == ""
    assert caches.take(node, 1, round_of(5, 1)) == "", "6 and 5 positions: the other gives way"
    assert caches.take(node, 2, round_of(5, 1)) == "caches of request 2 gave way to others"
    assert caches.take(node, 2, round_of(0, 4)) == "", "sent once more, it begins anew"
    assert caches.held_bytes(node) == 100.0


def test_what_has_no_room_even_alone_is_told():
    caches, node = caches_of(100)
    assert "there is room for 100" in caches.take(node, 1, round_of(0, 11))


def test_a_text_that_is_over_and_a_crash_free_the_room():
    caches, node = caches_of(100)
    caches.take(node, 1, round_of(0, 5))
    caches.forget(1)
    assert caches.held_bytes(node) == 0.0
    caches.take(node, 2, round_of(0, 5))
    caches.clear(node)
    assert caches.held_bytes(node) == 0.0


def test_a_node_that_bounds_nothing_keeps_everything():
    caches = Caches(small_topology())
    assert not caches.bounded
    assert caches.take("edge", 1, round_of(5, 1)) == ""


@pytest.mark.parametrize("stages", [(Stage("sam.windowed", 1.0, 1.0),), ()])
def test_who_caches_nothing_needs_no_room(stages):
    caches, node = caches_of(1)
    assert caches.take(node, 1, stages) == ""
