"""Attention with decomposed relative positions, never holding all its scores at once.

The reference (``add_decomposed_rel_pos`` of ``segment_anything``) writes the bias of every query
and key three times over. Here, where there are many, scores are made for a few hundred queries of
one head at a time, so that they stay in the cache, and the two small biases (one number per query
and row, one per query and column) are added to them in place. The result differs only in rounding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from real_runner.shards.dense import product
from real_runner.shards.places import Area

QUERIES_AT_ONCE = 256
"""Their scores for 4096 keys are 4 MiB; of 64 to 1024 queries, 256 and 512 measured best."""
QUERIES_FOR_ALL_BIASES = 1024
"""Up to so many, all biases at the same time are faster: 1.8 times for 256 and 1024, on two cores
with AVX2. For 4096 they are slower, by a seventh, and take hundreds of megabytes."""


class Positions:
    """Relative positions on a square: what is added to scores for the distance to a key.

    ``row_table`` and ``column_table`` are (2·side − 1, head_dim), as a checkpoint has them; a
    query is multiplied with the entry for its distance to a row and to a column (Li et al.,
    "MViTv2", 2022, arXiv 2112.01526).
    """

    def __init__(self, row_table: Tensor, column_table: Tensor) -> None:
        self._side = (len(row_table) + 1) // 2
        self.square = Area(0, 0, 0, self._side, self._side)
        """All of the square, as where keys lie."""
        self._tables = torch.cat([row_table, column_table])

    def offsets(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Return, per query at ``rows`` and ``columns`` (n), its entries per row and column.

        Shape (n, 2·side), indices into both tables, one below the other.
        """
        places = torch.arange(self._side, device=rows.device)
        down = rows[:, None] - places + self._side - 1
        right = columns[:, None] - places + 3 * self._side - 2
        return torch.cat([down, right], dim=1)

    def biases(self, queries: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the biases of queries (…, n, head_dim) per row and per column of the square."""
        every = product(queries.reshape(-1, queries.shape[-1]), self._tables)
        every = every.view(*queries.shape[:-1], -1)
        chosen = every.gather(-1, offsets.expand(*queries.shape[:-1], -1))
        return chosen[..., : self._side], chosen[..., self._side :]


@dataclass(frozen=True, slots=True)
class Groups:
    """Keys that stand for several tokens each.

    ``log_tokens`` (m,) are the logarithms of how many, ``shares`` (m, 2·side) the part of them in
    each row of the square, and after that in each column.
    """

    log_tokens: Tensor
    shares: Tensor

    def added(self, biases: tuple[Tensor, Tensor] | None) -> Tensor:
        """Return what is added to the scores of queries (…, n) and these keys, (…, n, m).

        It is the average of the biases of the tokens that a key stands for, and ``log_tokens``,
        without which n tokens would weigh as one. Without biases it is the same for all queries.
        """
        if biases is None:
            return self.log_tokens
        return product(torch.cat(biases, dim=-1), self.shares) + self.log_tokens


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    areas: tuple[Area, ...] = (),
    relative: tuple[Positions, Tensor] | None = None,
    groups: Groups | None = None,
) -> Tensor:
    """Return softmax(QKᵀ/√d + bias)V as rows of tokens with their heads side by side.

    ``queries``, ``keys`` and ``values`` are (heads, n, head_dim), the result (n, heads·head_dim).
    ``areas`` say where the keys lie, one after the other all of them but the last, which are
    ``groups`` where there are any; ``relative`` are the positions and the queries'
    `Positions.offsets`, or none.
    """
    heads, count, width = queries.shape
    if count <= QUERIES_FOR_ALL_BIASES:
        return _attend_at_once(queries[None], keys[None], values[None], areas, relative, groups)[0]
    result = queries.new_empty(count, heads * width)
    for head in range(heads):
        transposed = values[head].t().contiguous()
        mine = result[:, head * width : (head + 1) * width]
        for start in range(0, count, QUERIES_AT_ONCE):
            some = slice(start, start + QUERIES_AT_ONCE)
            scores = product(queries[head, some] * width**-0.5, keys[head])
            biases = None
            if relative is not None:
                positions, offsets = relative
                biases = positions.biases(queries[head, some], offsets[some])
                _add(scores, biases, areas)
            if groups is not None:
                scores[:, -len(groups.log_tokens) :] += groups.added(biases)
            mine[some] = product(scores.softmax(-1), transposed)
    return result


def attend_in_windows(
    queries: Tensor, keys: Tensor, values: Tensor, relative: tuple[Positions, Tensor] | None
) -> Tensor:
    """Return the same for many small windows at once, their keys being whole squares.

    ``queries`` is (windows, heads, n, head_dim), ``keys`` and ``values`` have all tokens of the
    square, and the result is (windows, n, heads·head_dim).
    """
    square = () if relative is None else (relative[0].square,)
    return _attend_at_once(queries, keys, values, square, relative)


def _attend_at_once(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    areas: tuple[Area, ...],
    relative: tuple[Positions, Tensor] | None,
    groups: Groups | None = None,
) -> Tensor:
    """Return (windows, n, heads·head_dim) from all biases at the same time.

    All scores are made, too, by torch where arrays have no windows, and more slowly.
    """
    mask = None
    if relative is not None:
        positions, offsets = relative
        rows, columns = positions.biases(queries, offsets)
        parts = [rows[..., area.rows, None] + columns[..., None, area.columns] for area in areas]
        every = [part.flatten(-2) for part in parts]
        every += [] if groups is None else [groups.added((rows, columns))]
        mask = torch.cat(every, dim=-1)
    elif groups is not None:
        own = keys.shape[-2] - len(groups.log_tokens)
        mask = torch.cat([keys.new_zeros(own), groups.added(None)])[None]
    attended = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    return attended.transpose(-3, -2).flatten(-2)


def _add(scores: Tensor, biases: tuple[Tensor, Tensor], areas: tuple[Area, ...]) -> None:
    """Add the biases per row and column to ``scores`` (n, keys), area by area, in place."""
    rows, columns = biases
    for area in areas:
        part = scores[:, area.start : area.start + area.tokens]
        part = part.unflatten(1, (area.height, area.width))
        part += rows[:, area.rows, None]
        part += columns[:, None, area.columns]
