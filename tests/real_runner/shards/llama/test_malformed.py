"""What is of no use is refused in words, and disturbs nothing that is there."""

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy import float32, int64, nan, ones, uint8, zeros

from real_runner.errors import StepError
from real_runner.shards.llama.executor import LlamaExecutor
from tests.real_runner.shards.llama.conftest import JOB, SPEC, TINY, as_bytes, greedy, prompt_of
from workloads.llama.model import tokens
from workloads.stage import Payload, Stage

PROMPT = Payload("prompt", (0,), tokens=2, fixed_bytes=8.0)
SEED = Payload("seed", fixed_bytes=8.0)
WIDTH = TINY.hidden


def hidden(count=2, depth=1, first=0):
    return Payload("hidden", (), count * WIDTH, count, depth, mixes=True, first=first)


@pytest.fixture
def executor(model, weights):
    return LlamaExecutor(model, weights, SPEC)


@pytest.mark.parametrize(
    ("payload", "array", "words"),
    [
        (PROMPT, ones((2, 4), uint8), "prompt: uint8 of shape (2, 4); give a vector of uint8"),
        (PROMPT, ones(8, int64), "prompt: int64 of shape (8,); give a vector of uint8"),
        (PROMPT, zeros(0, uint8), "prompt: uint8 of shape (0,); give a vector of uint8"),
        (PROMPT, ones(7, uint8), "prompt: 7 bytes; give 4 per token"),
        (PROMPT, as_bytes([5, 97]), "prompt: tokens 5 to 97; there are 0 to 96"),
        (PROMPT, as_bytes([-1, 9]), "prompt: tokens -1 to 9; there are 0 to 96"),
        (tokens(1), as_bytes([97]), "token: tokens 97 to 97; there are 0 to 96"),
        (tokens(1, 3), as_bytes([4]), "token 3 of the answer: only 0 are here"),
        (SEED, ones(4, uint8), "seed: uint8 of shape (4,); give 8 bytes"),
        (SEED, ones(8, float32), "seed: float32 of shape (8,); give 8 bytes"),
        (
            hidden(), zeros((3, WIDTH), float32),
            f"hidden states after 1 layers: shape (3, {WIDTH}); give (2, {WIDTH})",
        ),
        (
            hidden(), zeros((2, WIDTH), uint8),
            "hidden states after 1 layers: numbers of type uint8; give floating-point numbers",
        ),
        (
            hidden(), np.full((2, WIDTH), nan, float32),
            "hidden states after 1 layers: holds numbers that are not finite",
        ),
        (
            hidden(first=511), zeros((2, WIDTH), float32),
            "hidden states after 1 layers: positions 511 to 512; there are 5 layers and 512",
        ),
        (
            hidden(first=10**12), zeros((2, WIDTH), float32),
            "positions 1000000000000 to 1000000000001; there are 5 layers and 512 positions",
        ),
        (hidden(depth=6), zeros((2, WIDTH), float32), "after 6 layers: positions 0 to 1; there"),
        (hidden(depth=-1), zeros((2, WIDTH), float32), "after -1 layers: positions 0 to 1; there"),
        (hidden(first=-1), zeros((2, WIDTH), float32), "after 1 layers: positions -1 to 0; there"),
        (Payload("cache"), ones(1, uint8), "cache: no tensor of a Llama that a worker keeps"),
    ],
)  # fmt: skip
def test_what_arrives_in_no_shape_is_refused(executor, payload, array, words):
    with pytest.raises(StepError, match=re.escape(words)):
        executor.put(JOB, payload, array)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (tokens(1), "token 0 of the answer is not here"),
        (hidden(first=3), "hidden states after 1 layers: position 3 of 3 to 4 lacks"),
        (Payload("cache"), "cache: no tensor of a Llama that a worker keeps"),
    ],
)
def test_what_is_not_here_cannot_be_had(executor, payload, words):
    with pytest.raises(StepError, match=re.escape(words)):
        executor.get(JOB, payload)


def test_stages_that_lack_something_say_what(executor, model):
    def refusal(stage):
        with pytest.raises(StepError) as caught:
            executor.run(JOB, (stage,))
        return str(caught.value)

    assert (
        refusal(model.head(1, 2, 0)) == "token at position 0 is not there; send prompt and answer"
    )
    assert "no text to guess from" in refusal(model.draft(2, -1))
    assert refusal(model.middle(1, 4, 2, 0)).endswith("after 1 layers: position 0 of 0 to 1 lacks")
    executor.put(JOB, hidden(1), ones((1, WIDTH), float32))
    assert refusal(model.middle(1, 4, 2, 0)).endswith("after 1 layers: position 1 of 0 to 1 lacks")
    assert "caches of positions 0 to 4 are gone" in refusal(model.middle(1, 4, 1, 5))
    assert refusal(Stage("llama.think", 0.0, 0.0)) == (
        "llama.think: no stage of a Llama; known are llama.prepare, llama.draft, llama.head, "
        "llama.middle, llama.tail, llama.whole"
    )
    for stage in (
        replace(model.middle(1, 4, 2, 0), blocks=()),
        replace(model.head(1, 2, 0), blocks=()),
    ):
        assert refusal(stage) == f"{stage.kind}: it has no blocks; give it some, or leave it out"
    for start, end in ((2, 2), (0, 513)):
        stage = replace(model.middle(1, 4, 2, 0), positions=(start, end))
        assert refusal(stage) == (
            f"llama.middle: positions {start} to {end - 1}; there are {TINY.positions}"
        )


def test_what_was_refused_leaves_no_trace(executor, model, unsplit):
    prompt = prompt_of(1, 6)
    captured = replace(model, prompt_tokens=6).captured
    executor.put(JOB, captured, as_bytes(prompt))
    answer = [*executor.run(JOB, (model.whole(6, 0),)).tokens]
    for payload, array in ((captured, as_bytes([999])), (tokens(1, 9), as_bytes([4]))):
        with pytest.raises(StepError):
            executor.put(JOB, payload, array)
    with pytest.raises(StepError):
        executor.run(JOB, (model.whole(1, 20),))
    answer += executor.run(JOB, (model.whole(1, 6),)).tokens
    assert answer == greedy(unsplit, prompt, 2)


def test_another_prompt_is_another_text(executor, model, unsplit):
    for seed in (1, 2):
        prompt = prompt_of(seed, 6)
        executor.put(JOB, replace(model, prompt_tokens=6).captured, as_bytes(prompt))
        found = [*executor.run(JOB, (model.whole(6, 0),)).tokens]
        executor.put(JOB, replace(model, prompt_tokens=6).captured, as_bytes(prompt))
        found += executor.run(JOB, (model.whole(1, 6),)).tokens
        assert found == greedy(unsplit, prompt, 2)
        assert executor.get(JOB, tokens(9)).view("<i4").tolist() == found


def test_a_node_may_be_sent_what_it_has_once_made_itself(executor, model):
    """As where the clouds of a pipeline change places after one was lost."""
    rows = np.random.default_rng(0).standard_normal((2, WIDTH), float32)
    executor.put(JOB, hidden(depth=1), rows)
    executor.run(JOB, (model.middle(1, 3, 2, 0),))
    made = executor.get(JOB, hidden(depth=3)).copy()
    executor.put(JOB, hidden(depth=3), made)
    executor.run(JOB, (model.middle(3, 4, 2, 0),))
    executor.put(JOB, hidden(70, depth=4), zeros((70, WIDTH), float32))
    np.testing.assert_array_equal(executor.get(JOB, hidden(depth=3)), made)
