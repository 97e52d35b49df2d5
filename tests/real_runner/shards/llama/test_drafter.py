"""A smaller model that guesses: it may save trips, and never changes a text."""

from dataclasses import replace

import pytest
import torch

from real_runner.shards.llama.layers import Segment
from real_runner.shards.llama.sampling import choose
from real_runner.shards.llama.weights import prepare
from tests.real_runner.shards.llama.conftest import JOB, TINY, Parts, greedy, prompt_of
from workloads.llama.sampling import Sampling

SMALLER = replace(TINY, name="smaller", hidden=24, intermediate=32, layers=2, head_dim=8)
SAMPLINGS = (Sampling(), Sampling(1.0), Sampling(1.0, 0.9))


@pytest.fixture(scope="module", params=[TINY, SMALLER], ids=["itself", "smaller"])
def guessing(request, model, tmp_path_factory):
    """Return a model with a drafter, and the weights of both."""
    drafted = replace(model, drafter=request.param)
    target = tmp_path_factory.mktemp("drafter") / "weights.safetensors"
    return drafted, prepare(drafted, None, 3, target)


def rounds_of(parts, prompt, count, draft):
    """Return the tokens that came of each round of an answer."""
    parts.ask(prompt)
    found = [parts.round(len(prompt), 0)]
    while (done := sum(map(len, found))) < count:
        size = min(draft + 1, count - done)
        found.append(parts.round(size, len(prompt) + done - 1, size, guesses=size - 1))
    return found


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_all_that_a_model_guesses_of_itself_holds_and_another_changes_no_text(
    guessing, model, weights, sampling
):
    drafted, both = guessing
    prompt = prompt_of(41, 9)
    alone = Parts(replace(model, sampling=sampling), weights, (1, 4)).write(prompt, 61)
    found = rounds_of(Parts(replace(drafted, sampling=sampling), both, (1, 4)), prompt, 61, 4)
    assert [token for tokens in found for token in tokens] == alone
    if drafted.drafter == TINY:
        assert list(map(len, found)) == [1] + [5] * 12
    else:
        assert len(found) > 13
        assert max(map(len, found)) <= 5


def test_guesses_that_did_not_hold_leave_nothing_in_the_drafters_cache(guessing, unsplit):
    drafted, both = guessing
    prompt = prompt_of(42, 9)
    parts = Parts(drafted, both, (1, 4))
    found = [token for tokens in rounds_of(parts, prompt, 30, 3) for token in tokens]
    assert found == greedy(unsplit, prompt, 30)
    session, drafter = parts.edge._sessions.of(JOB), parts.edge._drafter
    with torch.inference_mode():
        again = drafter.guess(session, 4)
        session.drafted = None
        assert drafter.guess(session, 4) == again


def test_guesses_of_several_texts_do_not_meet(guessing, unsplit):
    drafted, both = guessing
    parts = Parts(drafted, both, (2, 3))
    for job in (1, 2):
        prompt = prompt_of(job, 6)
        assert parts.write(prompt, 20, job, draft=3) == greedy(unsplit, prompt, 20)


def test_a_guess_is_drawn_with_the_luck_of_its_place(guessing):
    drafted, both = guessing
    parts = Parts(replace(drafted, sampling=Sampling(1.0)), both, (1, 4))
    prompt = prompt_of(43, 9)
    parts.ask(prompt, seed=5)
    parts.edge.run(JOB, (drafted.draft(1, len(prompt) - 1),))
    session, layers = parts.edge._sessions.of(JOB), parts.edge._drafter._layers
    blocks = range(drafted.drafter.layers)
    with torch.inference_mode():
        rows = layers.run(layers.embed(prompt), blocks, [Segment(layers.cache(len(blocks)), 9)])
        wanted = choose(layers.logits(rows[-1:]), Sampling(1.0), 5, range(9, 10))
    assert session.guesses == wanted
