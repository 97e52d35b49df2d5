"""Policies to train on, where the user names none."""

import pytest

from experiments.fidelity.training import training_for, unseen_for
from topologies.shipped import load
from workloads.catalogue import model_named
from workloads.llama.model import Llama
from workloads.llama.variants import VARIANTS as LLAMAS
from workloads.sdxl.model import Sdxl
from workloads.sdxl.variants import VARIANTS as PAINTERS

SAM = model_named("sam-small")
LLAMA, SDXL = Llama(LLAMAS["llama2-7b"]), Sdxl(PAINTERS["sdxl-base"])


@pytest.mark.parametrize(
    "tested", ["sharded/prefix", "sharded/exact:clouds=3", "sharded/deferred:codec=int8", "local"]
)
def test_what_is_tested_is_not_trained_on(tested: str) -> None:
    chosen = training_for([tested], load("orin-nano-4-clouds"), SAM)
    assert tested not in chosen
    assert len(chosen) >= 2


def test_all_clouds_and_their_number_are_one_policy() -> None:
    topology = load("orin-nano-4-clouds")
    assert "sharded/prefix:clouds=4" not in training_for(["sharded/prefix"], topology, SAM)
    assert "sharded/prefix:clouds=4" in training_for(["sharded/prefix:clouds=3"], topology, SAM)


def test_shares_are_trained_on_with_two_clouds_or_more() -> None:
    topology, spec = load("orin-nano-4-clouds"), "sharded/shares:blocks=2"
    assert training_for([spec], topology, SAM)[3:] == (f"{spec},clouds=4",)
    assert f"{spec},clouds=2" in training_for([f"{spec},clouds=3"], topology, SAM)


def test_other_parameters_are_kept() -> None:
    chosen = training_for(["sharded/image:codec=int8,clouds=3"], load("orin-nano-4-clouds"), SAM)
    assert "sharded/image:codec=int8,clouds=2" in chosen


def test_the_scenarios_own_policy_and_an_exact_cut_are_predicted_and_neither_is_trained_on() -> (
    None
):
    topology = load("small-sam")
    for own in ("sharded/prefix", "sharded/exact:assignment=round-robin", "local"):
        tested = unseen_for(own, topology, SAM)
        assert tested == (own, "sharded/exact:assignment=round-robin,clouds=3")
        assert not set(tested) & set(training_for(tested, topology, SAM))
    same = "sharded/exact:clouds=3,assignment=round-robin"
    assert unseen_for(same, topology, SAM) == (same,)
    assert unseen_for("local", topology, SAM, [same]) == ("local",)


def test_no_policy_is_trained_on_twice() -> None:
    topology = load("small-sam")
    chosen = training_for(["sharded/exact:assignment=round-robin,clouds=3"], topology, SAM)
    assert "sharded/exact:assignment=round-robin" in chosen
    assert "sharded/exact:assignment=round-robin,clouds=4" not in chosen


@pytest.mark.parametrize("own", ["lambda-split", "lambda-split:draft=4,codec=int8"])
def test_of_a_llama_other_cuts_are_trained_on_with_the_same_parameters(own: str) -> None:
    topology = load("llama2-7b-jetson-cloud")
    tested = unseen_for(own, topology, LLAMA)
    assert len(tested) == 2
    trained = training_for(tested, topology, LLAMA)
    assert len(trained) == 2
    assert not set(tested) & set(trained)
    assert all(set(own.partition(":")[2].split(",")) - {""} <= set(t.partition(":")[2].split(","))
               for t in trained)  # fmt: skip


def test_of_stable_diffusion_the_other_design_is_predicted_and_other_formats_trained_on() -> None:
    topology = load("sdxl-phone-cloud")
    tested = unseen_for("lambda-split/lockstep", topology, SDXL)
    assert tested == ("lambda-split/lockstep", "lambda-split/edge-scheduler")
    assert training_for(tested, topology, SDXL) == (
        "lambda-split/lockstep:codec=fp32", "lambda-split/edge-scheduler:codec=fp32",
    )  # fmt: skip
