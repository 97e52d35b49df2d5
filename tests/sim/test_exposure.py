import pytest

from sim.exposure import Held, Sight, fraction, holdings, sights, worst_coalition
from sim.plan import Compute, Transfer
from topologies.topology import Topology
from workloads.stage import Payload, Stage

FRACTIONS = (0.5, 0.3, 0.2)


def test_an_untrusted_node_sees_what_is_sent_to_it_and_nothing_else(topology: Topology) -> None:
    steps = (
        Transfer("edge", "a", Payload("pixels", (0,))),
        Transfer("edge", "a", Payload("tokens", (1,), mixes=True)),
        Compute("a", (Stage("s", 1.0, 1.0),)),
        Transfer("a", "edge", Payload("tokens", (0, 1, 2))),
        Transfer("edge", "b", Payload("prompt")),
    )
    seen = sights(steps, topology)
    assert seen["a"] == Sight(frozenset({0, 1}), frozenset({"pixels", "tokens"}), mixes=True)
    assert seen["b"] == Sight(frozenset(), frozenset({"prompt"}), mixes=False)
    assert set(seen) == {"a", "b"}


def test_parts_seen_twice_count_once() -> None:
    seen = [Sight(frozenset({0})), Sight(frozenset({0, 1})), Sight(frozenset({2}))]
    assert worst_coalition(seen, FRACTIONS, 1) == pytest.approx(0.8)
    assert worst_coalition(seen, FRACTIONS, 2) == pytest.approx(1.0)
    assert worst_coalition(seen[:2], FRACTIONS, 2) == pytest.approx(0.8)


def test_a_coalition_larger_than_all_is_all() -> None:
    assert worst_coalition([Sight(frozenset({2}))], FRACTIONS, 2) == pytest.approx(0.2)
    assert worst_coalition([], FRACTIONS, 2) == 0.0


def test_the_whole_is_one_whatever_rounding_says() -> None:
    assert fraction(range(10), [0.1] * 10) <= 1.0


def test_an_untrusted_node_holds_what_it_received_and_what_its_stages_make(
    topology: Topology,
) -> None:
    def made(depth: int, tokens: int) -> Stage:
        return Stage("s", 1.0, 1.0, makes=Payload("hidden", tokens=tokens, blocks_done=depth))

    steps = (
        Transfer("edge", "a", Payload("hidden", tokens=4, blocks_done=3)),
        Transfer("edge", "a", Payload("hidden", tokens=1, blocks_done=2)),
        Compute("a", (made(9, 5), Stage("plain", 1.0, 1.0))),
        Transfer("a", "edge", Payload("hidden", tokens=5, blocks_done=9)),
        Compute("edge", (made(12, 5),)),
        Compute("b", (Stage("t", 1.0, 1.0, makes=Payload("token", tokens=1)),)),
    )
    assert holdings(steps, topology) == {
        ("a", "hidden"): Held(2, 9, 10),
        ("b", "token"): Held(0, 0, 1),
    }
