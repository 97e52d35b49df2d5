"""SAM's image encoder as functions of tokens of any shard.

Tokens are a matrix of the shard's real tokens, window after window (`real_runner.shards.places`).
Nothing is kept between calls; the padding of windows exists only inside of attention.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from real_runner.shards import places
from real_runner.shards.architecture import EPSILON
from real_runner.shards.blocks import TOKENS_AT_ONCE, Block
from real_runner.shards.dense import product
from real_runner.shards.places import Area
from workloads.sam.geometry import all_windows
from workloads.sam.variants import Variant
from workloads.stage import Shard


class Encoder:
    """The encoder of ``variant`` with the weights in ``module``, an ``ImageEncoderViT``.

    ``layout`` says how shards are made of windows, where it is not ``variant``: the small encoder
    of mode `image` has no windows of its own.
    """

    def __init__(self, variant: Variant, module: Any, layout: Variant | None = None) -> None:
        self.variant = variant
        self._layout = layout or variant
        self._module = module
        self._blocks = tuple(Block(block) for block in module.blocks)
        self._whole = all_windows(self._layout)
        self._areas_of_grid = (Area(0, 0, 0, variant.grid_tokens, variant.grid_tokens),)
        kernel = module.neck[2].weight
        # (out, in, 3, 3) to a matrix whose inputs are the 3×3 places, each with its channels
        self._around = kernel.permute(0, 2, 3, 1).flatten(1).contiguous()

    def embed(self, patches: Tensor, shard: Shard) -> Tensor:
        """Return the tokens of patches (n, 3·patch²; colour, row, column), positions added."""
        layer = self._module.patch_embed.proj
        return product(patches, layer.weight.flatten(1), layer.bias) + self.positions(shard)

    def positions(self, shard: Shard) -> Tensor:
        """Return the absolute positions that embedding adds to a shard's patches, (n, dim)."""
        rows, columns = self._coordinates(shard)
        positions: Tensor = self._module.pos_embed[0, rows, columns]
        return positions

    def windowed(self, tokens: Tensor, shard: Shard, blocks: tuple[int, ...]) -> Tensor:
        """Return a shard's tokens after windowed blocks, in the order given."""
        runs = places.runs_of_windows(self._layout, shard, TOKENS_AT_ONCE)
        for block in blocks:
            tokens = self._blocks[block].windowed(tokens, runs)
        return tokens

    def attending(self, tokens: Tensor, shard: Shard, block: int) -> Tensor:
        """Return a shard's tokens after a global block whose attention stays inside the shard."""
        attended = self.attention(self.project(tokens, block), shard, block)
        return self.finish(tokens, attended, block)

    def project(self, tokens: Tensor, block: int) -> Tensor:
        """Return queries, keys and values that a block makes of tokens: (n, 3·dim)."""
        return self._blocks[block].project(tokens)

    def attention(self, qkv: Tensor, shard: Shard, block: int) -> Tensor:
        """Return what a shard's tokens gather from each other in a block: (n, dim)."""
        if shard != self._whole:
            areas = places.areas(self._layout, shard)
            return self._blocks[block].attend(qkv, areas, self._coordinates(shard))
        to_grid, to_windows = (self._there(index) for index in places.grid_order(self._layout))
        coordinates = _grid_coordinates(self.variant.grid_tokens, qkv.device)
        attended = self._blocks[block].attend(
            qkv.index_select(0, to_grid), self._areas_of_grid, coordinates
        )
        return attended.index_select(0, to_windows)

    def finish(self, tokens: Tensor, attended: Tensor, block: int) -> Tensor:
        """Return a block's result from its input and what attention gathered, both (n, dim)."""
        return self._blocks[block].finish(tokens, attended)

    def neck(self, tokens: Tensor, shard: Shard) -> Tensor:
        """Return the embedding of a shard, (n, channels); outside of the shard it sees zeros."""
        first, norm, _, last_norm = self._module.neck
        narrow = product(tokens, first.weight.flatten(1))
        narrow = _norm(narrow, norm)
        bordered = torch.cat([narrow, narrow.new_zeros(1, narrow.shape[1])])
        around = self._there(places.neighbours(self._layout, shard))
        result = torch.empty_like(narrow)
        for start in range(0, len(narrow), TOKENS_AT_ONCE):
            some = slice(start, start + TOKENS_AT_ONCE)
            near = bordered.index_select(0, around[some].flatten())
            result[some] = product(near.view(-1, self._around.shape[1]), self._around)
        return _norm(result, last_norm)

    def on_grid(self, embedding: Tensor) -> Tensor:
        """Return the whole image's embedding as the decoder reads it, (1, channels, grid, grid)."""
        to_grid = self._there(places.grid_order(self._layout)[0])
        grid = self.variant.grid_tokens
        return embedding.index_select(0, to_grid).t().reshape(1, -1, grid, grid)

    def _coordinates(self, shard: Shard) -> tuple[Tensor, Tensor]:
        rows, columns = places.coordinates(self._layout, shard)
        return self._there(rows), self._there(columns)

    def _there(self, indices: places.Indices) -> Tensor:
        return torch.from_numpy(indices).to(self._module.pos_embed.device)


@lru_cache(maxsize=8)
def _grid_coordinates(side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    numbers = torch.arange(side, device=device)
    return numbers.repeat_interleave(side), numbers.repeat(side)


def _norm(tokens: Tensor, layer: Any) -> Tensor:
    """Return ``LayerNorm2d`` of tokens whose channels are the last dimension."""
    return functional.layer_norm(tokens, layer.weight.shape, layer.weight, layer.bias, EPSILON)
