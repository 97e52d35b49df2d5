"""What texts may leave on a node: bounded, the longest unused giving way, freed at the end."""

from dataclasses import replace

import pytest

from real_runner.errors import StepError
from real_runner.shards.llama.executor import LlamaExecutor
from real_runner.shards.llama.weights import prepare
from tests.real_runner.shards.llama.conftest import JOB, SPEC, TINY, as_bytes, greedy, prompt_of

PROMPT = 8
TEXT_BYTES = 2 * TINY.kv_inner * TINY.layers * 64 * 4
"""Caches have room for 64 positions at first."""


@pytest.fixture
def bounded(model, weights):
    """Return what makes an executor whose caches have room for so many texts."""
    return lambda texts: LlamaExecutor(model, weights, SPEC, caches_bytes=texts * TEXT_BYTES)


def begin(executor, model, *jobs):
    for job in jobs:
        prompt = as_bytes(prompt_of(job, PROMPT))
        executor.put(job, replace(model, prompt_tokens=PROMPT).captured, prompt)
        executor.run(job, (model.whole(PROMPT, 0),))


def go_on(executor, model, job, done=1):
    return executor.run(job, (model.whole(1, PROMPT + done - 1),)).tokens


def test_the_caches_not_used_for_longest_give_way_first(bounded, model):
    executor = bounded(2)
    begin(executor, model, 1, 2)
    go_on(executor, model, 1)
    begin(executor, model, 3)
    assert executor.held_bytes == 2 * TEXT_BYTES
    words = r"^caches of positions 0 to 7 are gone; send what they were made of once more$"
    with pytest.raises(StepError, match=words):
        go_on(executor, model, 2)
    assert go_on(executor, model, 1, 2)
    assert go_on(executor, model, 3)


def test_a_text_whose_caches_gave_way_goes_on_once_it_is_read_again(bounded, model, unsplit):
    executor = bounded(1)
    begin(executor, model, 1)
    first = list(go_on(executor, model, 1))
    begin(executor, model, 2)
    wanted = greedy(unsplit, prompt_of(1, PROMPT), 3)
    assert first == wanted[1:2]
    assert executor.run(1, (model.whole(PROMPT + 2, 0),)).tokens == (wanted[2],)


@pytest.mark.parametrize("texts", [0.5, 1.0])
def test_the_text_at_work_never_gives_way_itself(bounded, model, unsplit, texts):
    executor = bounded(texts)
    begin(executor, model, 1, 2)
    answer = [go_on(executor, model, 2, done)[0] for done in range(1, 10)]
    assert answer == greedy(unsplit, prompt_of(2, PROMPT), 10)[1:]
    assert executor.held_bytes == TEXT_BYTES


def test_texts_of_one_pass_do_not_make_each_other_give_way(bounded, model):
    executor = bounded(1)
    for job in (1, 2, 3):
        executor.put(
            job, replace(model, prompt_tokens=PROMPT).captured, as_bytes(prompt_of(job, PROMPT))
        )
    executor.run_together([(job, (model.whole(PROMPT, 0),)) for job in (1, 2, 3)])
    executor.run_together([(job, (model.whole(1, PROMPT),)) for job in (1, 2)])
    assert executor.held_bytes == 2 * TEXT_BYTES


def test_a_drafters_caches_count_and_give_way_too(model, tmp_path):
    drafted = replace(model, drafter=TINY)
    path = prepare(drafted, None, 3, tmp_path / "weights.safetensors")
    executor = LlamaExecutor(drafted, path, SPEC, caches_bytes=2 * TEXT_BYTES)
    begin(executor, drafted, 1)
    executor.run(1, (drafted.draft(2, PROMPT),))
    assert executor.held_bytes == 2 * TEXT_BYTES
    begin(executor, drafted, 2)
    assert executor.held_bytes == TEXT_BYTES


def test_nothing_is_left_of_a_text_that_is_over(bounded, model):
    executor = bounded(10)
    begin(executor, model, 1, JOB)
    assert executor.held_bytes == 2 * TEXT_BYTES
    executor.forget(JOB)
    executor.forget(99)
    assert executor.held_bytes == TEXT_BYTES
    assert not len(executor.get(JOB, model.captured))


def test_caches_grow_with_a_text(bounded, model):
    executor = bounded(100)
    count = 130
    prompt = as_bytes(prompt_of(1, count))
    executor.put(JOB, replace(model, prompt_tokens=count).captured, prompt)
    executor.run(JOB, (model.whole(60, 0, tokens=0),))
    assert executor.held_bytes == TEXT_BYTES
    executor.run(JOB, (model.whole(70, 60),))
    assert executor.held_bytes == TEXT_BYTES * 130 / 64
    executor.run(JOB, (model.whole(1, 130),))
    assert executor.held_bytes == TEXT_BYTES * 260 / 64
