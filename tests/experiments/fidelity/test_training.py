"""Policies to train on, where the user names none."""

import pytest

from experiments.fidelity.training import training_for, unseen_for
from topologies.shipped import load


@pytest.mark.parametrize(
    "tested", ["sharded/prefix", "sharded/exact:clouds=3", "sharded/deferred:codec=int8", "local"]
)
def test_what_is_tested_is_not_trained_on(tested: str) -> None:
    chosen = training_for([tested], load("orin-nano-4-clouds"))
    assert tested not in chosen
    assert len(chosen) >= 2


def test_all_clouds_and_their_number_are_one_policy() -> None:
    topology = load("orin-nano-4-clouds")
    assert "sharded/prefix:clouds=4" not in training_for(["sharded/prefix"], topology)
    assert "sharded/prefix:clouds=4" in training_for(["sharded/prefix:clouds=3"], topology)


def test_other_parameters_are_kept() -> None:
    chosen = training_for(["sharded/image:codec=int8,clouds=3"], load("orin-nano-4-clouds"))
    assert "sharded/image:codec=int8,clouds=2" in chosen


def test_the_scenarios_own_policy_and_an_exact_cut_are_predicted_and_neither_is_trained_on() -> (
    None
):
    topology = load("small-sam")
    for own in ("sharded/prefix", "sharded/exact:assignment=round-robin", "local"):
        tested = unseen_for(own, topology)
        assert tested == (own, "sharded/exact:assignment=round-robin,clouds=3")
        assert not set(tested) & set(training_for(tested, topology))
    same = "sharded/exact:clouds=3,assignment=round-robin"
    assert unseen_for(same, topology) == (same,)
    assert unseen_for("local", topology, [same]) == ("local",)


def test_no_policy_is_trained_on_twice() -> None:
    topology = load("small-sam")
    chosen = training_for(["sharded/exact:assignment=round-robin,clouds=3"], topology)
    assert "sharded/exact:assignment=round-robin" in chosen
    assert "sharded/exact:assignment=round-robin,clouds=4" not in chosen
