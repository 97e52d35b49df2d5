"""Global attention over shards that are apart, as a function that can be differentiated.

Modes `local-attention` and `landmark` are defined in `workloads.sam`, and run by
`real_runner.shards`, shard by shard. Here whole batches attend at once, and what a token must not
see is masked. A landmark is the average of some tokens' keys and values. Its score is the average
of those tokens' scores (these are linear in the keys, positions included) and, as it stands for n
of them, log n.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from real_runner.shards.operators import import_segment_anything
from workloads.sam.geometry import windows
from workloads.sam.variants import Variant


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """Whose a picture's windows are: int (pictures, windows), numbers of shards.

    ``pool`` tokens are averaged into a landmark for the other shards; 0: they see nothing.
    """

    owners: Tensor
    pool: int = 0

    def of_tokens(self, variant: Variant) -> Tensor:
        """Return whose each token of the grid is, (pictures, tokens)."""
        return self.owners[:, torch.from_numpy(_window_of_token(variant))]


def drawn(
    variant: Variant, clouds: tuple[int, ...], rng: np.random.Generator, count: int
) -> Tensor:
    """Return owners of the windows of ``count`` pictures, dealt at random.

    To how many each is dealt is drawn from ``clouds``.
    """
    there = len(windows(variant))
    rows = [rng.permutation(there) % rng.choice(clouds) for _ in range(count)]
    return torch.from_numpy(np.stack(rows))


def global_block(block: Any, tokens: Tensor, variant: Variant, division: Division) -> Tensor:
    """Return what a global block makes of tokens (pictures, grid, grid, dim), shards apart."""
    tokens = tokens + _attention(block.attn, block.norm1(tokens), variant, division)
    after: Tensor = tokens + block.mlp(block.norm2(tokens))
    return after


def _attention(layer: Any, tokens: Tensor, variant: Variant, division: Division) -> Tensor:
    count, side, _, dim = tokens.shape
    each, heads = side * side, layer.num_heads
    qkv = layer.qkv(tokens).reshape(count, each, 3, heads, -1).permute(2, 0, 3, 1, 4)
    queries, keys, values = qkv.reshape(3, count * heads, each, -1)
    scores = (queries * layer.scale) @ keys.transpose(-2, -1)
    if layer.use_rel_pos:
        reference = import_segment_anything().modeling.image_encoder
        tables, size = (layer.rel_pos_h, layer.rel_pos_w), (side, side)
        scores = reference.add_decomposed_rel_pos(scores, queries, *tables, size, size)
    owners = division.of_tokens(variant).to(tokens.device)
    hidden = owners[:, :, None] != owners[:, None, :]
    if division.pool:
        averages, sizes, window = (
            each.to(tokens.device) for each in _landmarks(variant, division.pool)
        )
        their = division.owners.to(tokens.device)[:, window]
        own = owners[:, :, None] == their[:, None, :]
        scores = torch.cat([scores, scores @ averages.T + sizes.log()], dim=-1)
        values = torch.cat([values, averages @ values], dim=1)
        hidden = torch.cat([hidden, own], dim=-1)
    hidden = hidden.repeat_interleave(heads, dim=0)
    attended = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ values
    joined = (
        attended.reshape(count, heads, each, -1).transpose(1, 2).reshape(count, side, side, dim)
    )
    made: Tensor = layer.proj(joined)
    return made


@lru_cache(maxsize=8)
def _window_of_token(variant: Variant) -> npt.NDArray[np.int64]:
    """Return the window of each token of the grid, row by row."""
    grid = np.empty((variant.grid_tokens, variant.grid_tokens), np.int64)
    for window in windows(variant):
        top, left = window.row * window.side_tokens, window.column * window.side_tokens
        grid[top : top + window.height_tokens, left : left + window.width_tokens] = window.index
    return grid.reshape(-1)


@lru_cache(maxsize=8)
def _landmarks(variant: Variant, pool: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return how landmarks are averaged (landmarks, tokens), of how many, and of which window.

    In each window its tokens are taken row by row, ``pool`` at a time.
    """
    owner = _window_of_token(variant)
    groups = [
        (window.index, tokens[start : start + pool])
        for window in windows(variant)
        for tokens in (np.flatnonzero(owner == window.index),)
        for start in range(0, len(tokens), pool)
    ]
    averages = torch.zeros(len(groups), len(owner))
    for row, (_, tokens) in zip(averages, groups, strict=True):
        row[torch.from_numpy(tokens)] = 1 / len(tokens)
    sizes = torch.tensor([float(len(tokens)) for _, tokens in groups])
    return averages, sizes, torch.tensor([window for window, _ in groups])
