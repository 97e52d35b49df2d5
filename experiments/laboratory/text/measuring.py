"""How much of texts the cloud in the middle recovers: tokens, whole texts, and secrets in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.laboratory.attacks.statistics import Proportion, proportion
from experiments.laboratory.text.attacks import Guess, Inverter, lens, nearest, sequential
from experiments.laboratory.text.letters import Letter
from experiments.laboratory.text.recording import Heard
from experiments.laboratory.text.rouge import rouge_l
from real_runner.shards.llama.layers import Layers
from workloads.llama.text import Tokenizer


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one attack found: of ``side`` ``input`` the prompt, of ``output`` the answer.

    ``tokens`` is the part of tokens that are right and in their place, ``rouge_l`` the ROUGE-L of
    all, each the mean over texts; ``exact`` are texts with no token wrong; ``secrets`` is the part
    of secrets that stand in what was found, word for word (of input only).
    """

    attack: str
    side: str
    tokens: float
    rouge_l: float
    exact: Proportion
    secrets: float | None


def recoveries(
    known: Sequence[Heard],
    validation: Sequence[Heard],
    attacked: Sequence[Heard],
    letters: Sequence[Letter],
    layers: Layers,
    first: int,
    tokenizer: Tokenizer,
) -> Iterator[Recovery]:
    """Yield how each attack does on texts; ``first`` layers are run before the cloud's."""
    inverter = Inverter(known, validation)
    for name, attack in (
        ("A10 nearest", lambda rows: nearest(rows, layers)),
        ("A10 trained", inverter.guess),
        ("A10 sequential", lambda rows: sequential(rows, layers, first)),
    ):
        guesses = [attack(each.received[: each.prompt]) for each in attacked]
        wanted = [each.tokens[: each.prompt] for each in attacked]
        found = [tokenizer.decode(guess.tolist()) for guess in guesses]
        yield _judged(name, "input", guesses, wanted, _recalled(found, letters))
    guesses = [lens(each.sent[each.prompt - 1 :], layers) for each in attacked]
    yield _judged("A11 lens", "output", guesses, [e.tokens[e.prompt :] for e in attacked], None)


def _judged(
    name: str,
    side: str,
    guesses: Sequence[Guess],
    wanted: Sequence[Sequence[int]],
    secrets: float | None,
) -> Recovery:
    right = [
        float((guess == np.array(truth)).mean())
        for guess, truth in zip(guesses, wanted, strict=True)
    ]
    whole = sum(part == 1.0 for part in right)
    common = [rouge_l(guess.tolist(), truth) for guess, truth in zip(guesses, wanted, strict=True)]
    exact = proportion(whole, len(right))
    return Recovery(name, side, float(np.mean(right)), float(np.mean(common)), exact, secrets)


def _recalled(found: Sequence[str], letters: Sequence[Letter]) -> float:
    hits = [
        secret in text
        for text, letter in zip(found, letters, strict=True)
        for secret in letter.secrets
    ]
    return float(np.mean(hits))
