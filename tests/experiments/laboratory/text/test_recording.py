"""What the cloud in the middle hears of a text, and what can be made of it."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

import torch

from experiments.laboratory.text.attacks import Inverter, lens, nearest, sequential
from experiments.laboratory.text.letters import letter
from experiments.laboratory.text.recording import Listener
from experiments.scenarios.loader import load
from real_runner.deployment import NodeSpec
from real_runner.shards.llama import weights
from real_runner.shards.llama.checkpoint import Checkpoint
from real_runner.shards.llama.layers import Layers
from sim.errors import PolicyError
from sim.policies.registry import policy_named
from tests.computing import one_thread
from workloads.llama.text import ByteTokenizer

A, ANSWER = 2, 4


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    scenario = load("small-llama")
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    weights.prepare(scenario.workload.model, None, 0, path)
    model = scenario.workload.model.architecture
    layers = Layers(model, Checkpoint(path), torch.float32, torch.device("cpu"))
    return scenario, path, layers


@pytest.fixture(scope="module")
def hear(places):
    scenario, path, _ = places

    def heard(split, index, policy=f"lambda-split:a={A},codec=fp32"):
        listener = Listener(scenario, policy_named(policy), path, NodeSpec(dtype="fp32"))
        prompt = tuple(ByteTokenizer().encode(letter(0, split, index).text))
        with one_thread():
            return listener.hear(prompt, ANSWER)

    return heard


def test_a_row_of_each_position_is_heard_and_the_truth_is_beside_it(hear):
    found = hear("test", 0)
    count = found.prompt + ANSWER
    assert len(found.tokens) == count
    # The last token of the answer is chosen at the edge, and goes to no cloud.
    assert len(found.received) == len(found.sent) == count - 1


def test_whoever_knows_the_weights_reads_the_prompt_token_by_token(hear, places):
    found, layers = hear("test", 1), places[2]
    wanted = np.array(found.tokens[: found.prompt])
    rows = found.received[: found.prompt]
    np.testing.assert_array_equal(sequential(rows, layers, A), wanted)
    # With layers that were not run nothing is close, and what is closest is not always right.
    scrambled = rows[:, ::-1].copy()
    assert (sequential(scrambled[:4], layers, A) == wanted[:4]).mean() < 1


def test_the_likest_embedding_and_a_trained_inverter_beat_chance_by_far(hear, places):
    known = [hear("attack-train", index) for index in range(6)]
    held, found = [hear("attack-validate", 0)], hear("test", 2)
    wanted, rows = np.array(found.tokens[: len(found.received)]), found.received
    assert (nearest(rows, places[2]) == wanted).mean() > 0.5
    assert (Inverter(known, held).guess(rows) == wanted).mean() > 0.5
    shuffled = np.random.default_rng(0).permutation(wanted)
    assert (nearest(rows, places[2]) == shuffled).mean() < 0.3


def test_the_last_state_of_the_middle_tells_what_comes_next(hear, places):
    found = hear("test", 3, f"lambda-split:a={A},b=-1,codec=fp32")
    guesses = lens(found.sent[found.prompt - 1 :], places[2])
    assert len(guesses) == ANSWER
    assert (guesses == np.array(found.tokens[found.prompt :])).mean() > 0.5


def test_what_has_no_one_cloud_in_the_middle_is_refused(hear):
    with pytest.raises(PolicyError, match="0 clouds hear the text"):
        hear("test", 0, "edge-only")
