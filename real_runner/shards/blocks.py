"""A transformer block of SAM on any windows, in the parts that sharding cuts it into.

Everything but attention is per token, so it needs no more than the tokens themselves, and runs on
a thousand of them at a time: what lies between two products never leaves the cache.

**The padding trap.** SAM pads windows with zeros *after* the first norm of every windowed block,
and the pad takes part as keys and values. The product of a zero with weights is the bias, so a
pad token's key and value are those of the bias, in every block anew. Carrying a pad along from
block to block, or leaving it out, gives other results in windows at the border.
"""

from collections.abc import Iterable
from itertools import starmap
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from real_runner.shards.attention import Positions, attend, attend_in_windows
from real_runner.shards.dense import product, product_gelu, product_plus
from real_runner.shards.landmarks import Landmarks
from real_runner.shards.places import Area, Run

TOKENS_AT_ONCE = 1024


class Block:
    """One block with its weights; ``module`` is a ``Block`` of ``segment_anything``.

    Methods take tokens (n, dim) and give new ones; they keep nothing and change nothing.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._heads: int = module.attn.num_heads
        self.window_tokens: int = module.window_size
        """Side of the windows that it attends in; 0 for a global block."""
        self._positions = (
            Positions(module.attn.rel_pos_h, module.attn.rel_pos_w)
            if module.attn.use_rel_pos
            else None
        )

    def project(self, tokens: Tensor) -> Tensor:
        """Return queries, keys and values of tokens side by side: (n, 3·dim)."""
        layer = self._module.attn.qkv
        return _joined(
            product(self._module.norm1(some), layer.weight, layer.bias)
            for some in tokens.split(TOKENS_AT_ONCE)
        )

    def attend(
        self,
        qkv: Tensor,
        areas: tuple[Area, ...],
        coordinates: tuple[Tensor, Tensor],
        others: Landmarks | None = None,
    ) -> Tensor:
        """Return what each of the tokens gathers from all of them: (n, 3·dim) to (n, dim).

        ``areas`` say how the tokens lie, ``coordinates`` are each token's row and column;
        ``others`` stand for tokens elsewhere, from which these gather, too.
        """
        parts = qkv.view(len(qkv), 3, self._heads, -1).permute(1, 2, 0, 3).contiguous()
        keys, values, groups = parts[1], parts[2], None
        if others is not None:
            rows = others.rows.view(len(others.rows), 2, self._heads, -1).permute(1, 2, 0, 3)
            keys, values = torch.cat([keys, rows[0]], 1), torch.cat([values, rows[1]], 1)
            groups = others.groups
        relative = None
        if self._positions is not None:
            relative = self._positions, self._positions.offsets(*coordinates)
        return attend(parts[0], keys, values, areas, relative, groups)

    def finish(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Return the block's result from its input and what attention gathered, both (n, dim)."""
        each = (attended.split(TOKENS_AT_ONCE), tokens.split(TOKENS_AT_ONCE))
        return _joined(starmap(self._finish_some, zip(*each, strict=True)))

    def _finish_some(self, attended: Tensor, tokens: Tensor) -> Tensor:
        projection, mlp = self._module.attn.proj, self._module.mlp
        middle = product_plus(attended, projection.weight, projection.bias, tokens)
        hidden = product_gelu(self._module.norm2(middle), mlp.lin1.weight, mlp.lin1.bias)
        return product_plus(hidden, mlp.lin2.weight, mlp.lin2.bias, middle)

    def windowed(self, tokens: Tensor, runs: tuple[Run, ...]) -> Tensor:
        """Return the block's result, attention staying inside the windows that ``runs`` lists."""
        parts = tokens.split([run.tokens for run in runs])
        return _joined(
            self.finish(some, self._attend_in_windows(self.project(some), run))
            for some, run in zip(parts, runs, strict=True)
        )

    def linear(self, name: str) -> tuple[Tensor, Tensor]:
        """Return weights (outputs, inputs) and bias of ``qkv``, ``proj``, ``lin1`` or ``lin2``."""
        layer = getattr(self._module.attn if name in {"qkv", "proj"} else self._module.mlp, name)
        return layer.weight, layer.bias

    def before(self, tensor: Tensor, name: str) -> Tensor:
        """Return the input of a linear layer, from what the one before it has made.

        That is the norm of tokens, or GELU of what ``lin1`` has made; ``proj`` takes what attention
        gathered as it is.
        """
        match name:
            case "qkv":
                result: Tensor = self._module.norm1(tensor)
            case "lin1":
                result = self._module.norm2(tensor)
            case "lin2":
                result = functional.gelu(tensor)
            case _:
                result = tensor
        return result

    def attend_in_windows(self, qkv: Tensor, runs: tuple[Run, ...]) -> Tensor:
        """Return what tokens gather inside the windows that ``runs`` lists: (n, dim)."""
        parts = qkv.split([run.tokens for run in runs])
        return _joined(
            self._attend_in_windows(some, run) for some, run in zip(parts, runs, strict=True)
        )

    def _attend_in_windows(self, qkv: Tensor, run: Run) -> Tensor:
        """Return what the tokens of equal windows gather: (n, 3·dim) to (n, dim)."""
        side = self.window_tokens
        by_window = qkv.view(run.count, run.height, run.width, 3, self._heads, -1)
        padded = self._padded(by_window)
        keys, values = padded[1].flatten(2, 3), padded[2].flatten(2, 3)
        queries = padded[0, :, :, : run.height, : run.width].flatten(2, 3)
        relative = None
        if self._positions is not None:
            places = torch.arange(side, device=qkv.device)
            rows = places[: run.height].repeat_interleave(run.width)
            columns = places[: run.width].repeat(run.height)
            relative = self._positions, self._positions.offsets(rows, columns)
        return attend_in_windows(queries, keys, values, relative).flatten(0, 1)

    def _padded(self, by_window: Tensor) -> Tensor:
        """Return (3, windows, heads, side, side, head_dim): queries, keys, values and their pad."""
        count, height, width, _, heads, each = by_window.shape
        side = self.window_tokens
        padded = by_window.new_empty(3, count, heads, side, side, each)
        if (height, width) != (side, side):
            bias = self._module.attn.qkv.bias.view(3, 1, heads, 1, 1, each)
            padded[:, :, :, height:] = bias
            padded[:, :, :, :height, width:] = bias
        padded[:, :, :, :height, :width] = by_window.permute(3, 0, 4, 1, 2, 5)
        return padded


def _joined(parts: Iterable[Tensor]) -> Tensor:
    """Return parts of tokens, one below the other; a lone one as it is."""
    first, *others = parts
    return torch.cat([first, *others]) if others else first
