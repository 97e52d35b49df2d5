"""Choosing the next token: the likeliest, or one drawn in a way that guesses cannot disturb.

Drawing is done with noise that belongs to a place in a text: argmax of log p + g, g being Gumbel
noise, is distributed as p (Gumbel 1954; Maddison, Tarlow, Minka, NIPS 2014). The noise is a
function of the text's seed and the place alone, so the token at a place does not depend on how it
came to be chosen: by one round trip per token, or as one of several that check guesses. What is
drawn with guesses is therefore not only distributed as without: it is the same text. One who
guesses with the same noise is right the more often.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workloads.llama.sampling import Sampling

Floats = npt.NDArray[np.float64]


def choose(logits: Tensor, sampling: Sampling, seed: int, places: range) -> list[int]:
    """Return a token for each row of ``logits`` (places, vocabulary)."""
    if not sampling.temperature:
        found: list[int] = logits.argmax(dim=-1).tolist()
        return found
    exact = logits.to(torch.float64)
    below = exact - exact.amax(dim=-1, keepdim=True)  # which no temperature makes too large
    numbers = (below / sampling.temperature).cpu().numpy()
    return [
        int(np.argmax(_kept(row, sampling.top_p) + _noise(seed, place, len(row))))
        for row, place in zip(numbers, places, strict=True)
    ]


def _kept(logits: Floats, top_p: float) -> Floats:
    """Return logits with minus infinity for all but the nucleus."""
    if top_p >= 1.0:
        return logits
    order = np.argsort(-logits, kind="stable")
    weights = np.exp(logits[order] - logits[order[0]])
    before = (np.cumsum(weights) - weights) / weights.sum()
    kept = np.full_like(logits, -np.inf)
    chosen = order[before < top_p]  # the likeliest always, and the one that reaches top_p
    kept[chosen] = logits[chosen]
    return kept


def _noise(seed: int, place: int, count: int) -> Floats:
    key = np.array([seed, place], np.uint64)  # a list with seeds from 2^63 on would be of floats
    uniform = np.random.Generator(np.random.Philox(key=key)).random(count)
    return -np.log(-np.log(np.maximum(uniform, np.finfo(np.float64).tiny)))
