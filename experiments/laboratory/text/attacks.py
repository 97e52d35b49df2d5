"""A10 and A11: hidden states back to the tokens that they were made of, or that come of them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from experiments.laboratory.attacks.semantic import Classifier
from experiments.laboratory.attacks.transcripts import Transcript
from experiments.laboratory.text.recording import Heard, Rows
from real_runner.shards.llama.layers import Layers, Segment

Guess = npt.NDArray[np.int64]
"""A token for each row."""

CLOSE: Final = 1e-3
"""A squared error that small, in parts of the row's squared length, is the codec's rounding."""


def nearest(rows: Rows, layers: Layers) -> Guess:
    """Return, for hidden states that a cloud receives, the tokens with the likest embeddings (A10).

    By the cosine. It knows nothing but the embedding, and nothing of the layers passed since.
    """
    return np.asarray(_likeness(rows, layers).argmax(axis=1), np.int64)


class Inverter:
    """A10, trained: ridge regression from a hidden state to the token it was made of."""

    def __init__(self, known: Sequence[Heard], validation: Sequence[Heard]) -> None:
        held = _transcript(validation), _tokens(validation)
        self._classifier = Classifier(_transcript(known), _tokens(known), held)
        self._classes = np.unique(_tokens(known))

    def guess(self, rows: Rows) -> Guess:
        """Return a token for each row; one that it never met it cannot tell."""
        return np.asarray(
            self._classes[self._classifier.scores(Transcript.of_numbers(rows)).argmax(axis=1)]
        )


def sequential(rows: Rows, layers: Layers, first: int) -> Guess:
    """Return the tokens one after the other (A10): those that make just this hidden state.

    Weights are known, so the ``first`` layers can be run on any token after those that are known
    already; the likest embeddings are tried first, and of none that is close the closest is taken.
    """
    cache, blocks, found = layers.cache(first), range(first), list[int]()
    order = (-_likeness(rows, layers)).argsort(axis=1)
    with torch.inference_mode():
        for place, row in enumerate(torch.from_numpy(rows)):
            best, closest = 0, np.inf
            for token in order[place].tolist():
                cache.cut(place)
                made = layers.run(layers.embed([token]), blocks, [Segment(cache, 1)])[0]
                apart = float(((made - row) ** 2).sum() / (row**2).sum())
                if apart < closest:
                    best, closest = token, apart
                if apart < CLOSE:
                    break
            cache.cut(place)
            layers.run(layers.embed([best]), blocks, [Segment(cache, 1)])
            found.append(best)
    return np.array(found, np.int64)


def lens(rows: Rows, layers: Layers) -> Guess:
    """Return the next token that each hidden state would yield if no layer followed (A11).

    The logit lens (nostalgebraist 2020) on the last state that a cloud holds.
    """
    with torch.inference_mode():
        return np.asarray(layers.logits(torch.from_numpy(rows)).argmax(dim=1).numpy())


def _likeness(rows: Rows, layers: Layers) -> npt.NDArray[np.float64]:
    with torch.inference_mode():
        table = layers.embed(range(layers.architecture.vocabulary)).numpy()
    lengths = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(table, axis=1)
    return np.asarray(rows @ table.T / np.maximum(lengths, 1e-12), np.float64)


def _transcript(heard: Sequence[Heard]) -> Transcript:
    return Transcript.of_numbers(np.concatenate([each.received for each in heard]))


def _tokens(heard: Sequence[Heard]) -> Guess:
    """Return the token of each row received."""
    return np.concatenate([np.array(each.tokens[: len(each.received)]) for each in heard])
