"""Cut in three, a Llama is the Llama it was: at every cut, with caches, guesses and company."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from real_runner.errors import StepError
from real_runner.executor import NOTHING
from real_runner.shards.llama.executor import LlamaExecutor
from tests.real_runner.shards.llama.conftest import (
    JOB,
    SPEC,
    TINY,
    Parts,
    as_bytes,
    greedy,
    prompt_of,
)  # fmt: skip
from workloads.llama.model import tokens

CUTS = [(a, b) for a in range(1, TINY.layers) for b in range(a, TINY.layers)]


def hidden_states(unsplit, text):
    with torch.inference_mode():
        return unsplit(torch.tensor([text]), output_hidden_states=True)


@pytest.mark.parametrize("cut", CUTS)
def test_hidden_states_at_every_cut_are_those_of_the_unsplit_model(model, weights, unsplit, cut):
    a, b = cut
    prompt = prompt_of(1, 9)
    parts = Parts(model, weights, (a, b) if a < b else (a,))
    parts.ask(prompt)
    found = hidden_states(unsplit, prompt)
    chosen = parts.round(9, 0) if a < b else alone(parts, a, 9)
    for depth in cut:
        there = parts.edge.get(JOB, model.hidden(9, depth, 0))
        wanted = found.hidden_states[depth][0].numpy()
        assert np.abs(there - wanted).max() < 1e-5
    assert chosen == (int(found.logits[0, -1].argmax()),)


def alone(parts, a, count):
    llama = parts.model
    return parts.edge.run(JOB, (llama.head(a, count, 0), llama.tail(a, count, 0))).tokens


def test_logits_are_those_of_the_unsplit_model_in_decoding_too(model, weights, unsplit):
    prompt = prompt_of(2, 12)
    parts = Parts(model, weights, (1, 4))
    parts.write(prompt, 6)
    text = prompt + parts.edge.get(JOB, tokens(6)).view("<i4").tolist()
    rows = parts.edge._sessions.of(JOB).rows[4].read(0, len(text) - 1, "")
    segment = parts.edge._layers.cache(1)
    from real_runner.shards.llama.layers import Segment

    with torch.inference_mode():
        whole = parts.edge._layers.run(rows, (4,), [Segment(segment, len(rows))])
        logits = parts.edge._layers.logits(whole)
        wanted = unsplit(torch.tensor([text[:-1]])).logits[0]
    assert wanted.abs().max() > 1
    assert (logits - wanted).abs().max() < 1e-5


@pytest.mark.parametrize("cut", [(1, 4), (2, 3), (1, 2), (1, 2, 3, 4)])
@pytest.mark.parametrize("draft", [0, 4])
def test_200_greedy_tokens_are_identical_at_any_cut_and_with_guesses(
    model, weights, unsplit, cut, draft
):
    prompt = prompt_of(3, 8)
    wanted = greedy(unsplit, prompt, 200)
    assert len(set(wanted)) > 5, "the text must not be one token over and over"
    assert Parts(model, weights, cut).write(prompt, 200, draft=draft) == wanted


def test_generate_of_transformers_writes_the_same(model, weights, unsplit):
    prompt = prompt_of(4, 10)
    with torch.inference_mode():
        generated = unsplit.generate(
            torch.tensor([prompt]), max_new_tokens=40, do_sample=False, eos_token_id=None,
            pad_token_id=0,
        )  # fmt: skip
    assert Parts(model, weights, (1, 4)).write(prompt, 40) == generated[0, 10:].tolist()


def test_wrong_guesses_leave_no_trace(model, weights, unsplit):
    prompt = prompt_of(5, 8)
    wanted, rng = greedy(unsplit, prompt, 60), np.random.default_rng(0)
    parts = Parts(model, weights, (1, 4))
    parts.ask(prompt)
    answer = list(parts.round(8, 0))
    lookup = parts.edge._sessions.of(JOB).lookup
    lookup.guess = lambda _, count: rng.integers(3, TINY.vocabulary, count).tolist()
    while len(answer) < 60:
        size = min(5, 60 - len(answer))
        answer += parts.round(size, len(prompt) + len(answer) - 1, size, guesses=size - 1)
    assert answer == wanted


def test_a_prompt_read_in_pieces_is_the_same_prompt(model, weights, unsplit):
    prompt = prompt_of(6, 23)
    parts = Parts(model, weights, (2, 4))
    parts.ask(prompt)
    for past in (0, 10):
        assert parts.round(10, past, 0) == ()
    assert parts.round(3, 20) == tuple(greedy(unsplit, prompt, 1))


def test_a_fresh_middle_that_is_sent_everything_goes_on(model, weights, unsplit):
    prompt = prompt_of(7, 8)
    wanted = greedy(unsplit, prompt, 20)
    parts = Parts(model, weights, (1, 4))
    answer = parts.write(prompt, 10)
    parts.middles[0] = LlamaExecutor(model, weights, SPEC)
    past = len(prompt) + len(answer) - 1
    with pytest.raises(StepError, match="caches of positions 0 to 16 are gone"):
        parts.round(1, past)
    answer += parts.round(1, past, sent=past + 1, sent_past=0)
    while len(answer) < 20:
        answer += parts.round(1, len(prompt) + len(answer) - 1)
    assert answer == wanted


@pytest.mark.parametrize("first", ["prompt", "token"])
def test_prompt_and_answer_may_come_in_any_order(model, weights, unsplit, first):
    prompt = prompt_of(9, 8)
    wanted = greedy(unsplit, prompt, 4)
    node = LlamaExecutor(model, weights, SPEC)
    both = [(model.captured, prompt), (tokens(3), wanted[:3])]
    for payload, numbers in both if first == "prompt" else reversed(both):
        node.put(JOB, payload, as_bytes(numbers))
    assert node.run(JOB, (model.whole(11, 0),)).tokens == (wanted[3],)


def test_runs_of_one_text_at_the_same_time_do_not_disturb_each_other(model, weights, unsplit):
    prompt, runs = prompt_of(10, 60), 40
    node = LlamaExecutor(model, weights, SPEC)
    node.put(JOB, replace(model, prompt_tokens=60).captured, as_bytes(prompt))

    def made(_):
        return node.run(JOB, (model.whole(60, 0),)).tokens

    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(made, range(runs)))
    assert found == {tuple(greedy(unsplit, prompt, 1))}


def test_texts_of_mixed_lengths_side_by_side_are_what_each_is_alone(model, weights, unsplit):
    prompts = {job: prompt_of(job, 4 + 3 * job) for job in range(1, 5)}
    parts = Parts(model, weights, (1, 4))
    answers = {}
    for job, prompt in prompts.items():
        parts.ask(prompt, job)
        answers[job] = list(parts.round(len(prompt), 0, job=job))
    for _ in range(15):
        for job, prompt in prompts.items():
            past = len(prompt) + len(answers[job]) - 1
            answers[job] += parts.round(1, past, job=job)
    assert answers == {job: greedy(unsplit, prompt, 16) for job, prompt in prompts.items()}


def test_texts_share_a_pass_wherever_they_are_and_each_is_what_it_is_alone(model, weights, unsplit):
    prompts = {job: prompt_of(job, 3 + 5 * job) for job in (1, 2, 3)}
    alone, together = (LlamaExecutor(model, weights, SPEC) for _ in range(2))
    for executor in (alone, together):
        for job, prompt in prompts.items():
            llama = replace(model, prompt_tokens=len(prompt))
            executor.put(job, llama.captured, as_bytes(prompt))
            executor.run(job, (model.whole(len(prompt), 0),))
    for step in range(12):
        stages = {job: model.whole(1, len(prompt) + step) for job, prompt in prompts.items()}
        made = together.run_together([(job, (stage,)) for job, stage in stages.items()])
        assert made == [alone.run(job, (stage,)) for job, stage in stages.items()]
    for job, prompt in prompts.items():
        answer = together.get(job, tokens(13)).view("<i4").tolist()
        assert answer == greedy(unsplit, prompt, 13)


def test_double_precision_is_double(model, weights, unsplit):
    exact = LlamaExecutor(model, weights, SPEC.model_copy(update={"dtype": "fp64"}))
    prompt = prompt_of(8, 9)
    exact.put(JOB, replace(model, prompt_tokens=9).captured, as_bytes(prompt))
    assert exact.run(JOB, (model.whole(9, 0),)).tokens == tuple(greedy(unsplit, prompt, 1))
    assert exact.run(JOB, (model.prepare,)) == NOTHING
