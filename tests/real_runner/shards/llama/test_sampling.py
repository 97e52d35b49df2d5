"""Drawn tokens are distributed as they should be, and are the same however they came about."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from real_runner.shards.llama.sampling import choose
from tests.real_runner.shards.llama.conftest import Parts, greedy, prompt_of
from workloads.llama.sampling import Sampling

DRAWS = 4000
LOGITS = np.array([2.0, -1.0, 0.5, 0.0, 1.5, -3.0, 1.0, 0.25])
SIGNIFICANCE = 1e-3
GUESSING = (Sampling(0.7), Sampling(1.0, 0.8), Sampling(3.0, 0.95))


def softmax(temperature):
    weights = np.exp(LOGITS / temperature)
    return weights / weights.sum()


def nucleus(temperature, top_p):
    """Return the distribution, straight from the definition of Holtzman et al."""
    whole, kept, total = softmax(temperature), [], 0.0
    for token in sorted(range(len(whole)), key=lambda each: -whole[each]):
        kept.append(token)
        total += whole[token]
        if total >= top_p:
            break
    found = np.zeros(len(whole))
    found[kept] = whole[kept] / total
    return found


def counts(sampling, seeds=range(DRAWS), place=5):
    rows = torch.from_numpy(LOGITS)[None]
    drawn = [choose(rows, sampling, seed, range(place, place + 1))[0] for seed in seeds]
    return np.bincount(drawn, minlength=len(LOGITS))


def fits(found, wanted):
    """Whether counts may be of a distribution: Pearson's test."""
    possible = wanted > 0
    expected = found.sum() * wanted[possible]
    statistic = ((found[possible] - expected) ** 2 / expected).sum()
    return not found[~possible].any() and statistic < chi2.isf(SIGNIFICANCE, possible.sum() - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_from_the_softmax(temperature):
    found = counts(Sampling(temperature))
    assert fits(found, softmax(temperature))
    assert not fits(found, softmax(1.15 * temperature)), "so many draws tell them apart"


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 0.5), (1.0, 0.9), (2.0, 0.7)])
def test_with_top_p_they_are_drawn_from_the_nucleus(temperature, top_p):
    wanted = nucleus(temperature, top_p)
    assert 1 < (wanted > 0).sum() < len(LOGITS)
    found = counts(Sampling(temperature, top_p))
    assert fits(found, wanted)
    assert not fits(found, softmax(temperature))


def test_places_of_a_text_and_neighbouring_seeds_have_luck_of_their_own():
    rows = torch.from_numpy(LOGITS).expand(DRAWS, -1)
    along = choose(rows, Sampling(1.0), 7, range(DRAWS))
    assert fits(np.bincount(along, minlength=len(LOGITS)), softmax(1.0))
    beside = choose(rows, Sampling(1.0), 8, range(DRAWS))
    both = np.bincount(np.array(along) * len(LOGITS) + beside, minlength=len(LOGITS) ** 2)
    assert fits(both, np.outer(softmax(1.0), softmax(1.0)).ravel()), "and independent"


@pytest.mark.parametrize("first", [2**63, 2**64 - DRAWS])
def test_seeds_of_all_64_bits_count(first):
    assert fits(counts(Sampling(1.0), range(first, first + DRAWS)), softmax(1.0))


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(1.0, 1e-9), Sampling(1e-308)])
def test_a_tiny_nucleus_and_a_tiny_temperature_are_greedy(sampling):
    rows = torch.from_numpy(np.random.default_rng(0).normal(50, 20, (100, 31)))
    assert choose(rows, sampling, 3, range(100)) == rows.argmax(dim=-1).tolist()


@pytest.mark.parametrize("sampling", GUESSING)
def test_a_text_drawn_with_guesses_is_the_one_drawn_without(model, weights, sampling):
    drawing = replace(model, sampling=sampling)
    prompt = prompt_of(31, 8)
    texts = [
        Parts(drawing, weights, cut).write(prompt, 80, draft=draft)
        for cut, draft in (((1, 4), 0), ((1, 4), 4), ((2, 3), 1))
    ]
    assert texts[0] == texts[1] == texts[2]
    assert len(set(texts[0])) > 10


def test_another_seed_is_another_text_and_a_tiny_nucleus_the_greedy_one(model, weights, unsplit):
    prompt, found = prompt_of(32, 8), []
    for seed in (1, 2, 1):
        parts = Parts(replace(model, sampling=Sampling(1.0)), weights, (1, 4))
        parts.ask(prompt, seed=seed)
        answer = list(parts.round(8, 0))
        found.append(answer + [parts.round(1, 8 + done)[0] for done in range(20)])
    assert found[0] == found[2] != found[1]
    narrow = Parts(replace(model, sampling=Sampling(1.0, 1e-9)), weights, (1, 4))
    assert narrow.write(prompt, 30, draft=2) == greedy(unsplit, prompt, 30)
