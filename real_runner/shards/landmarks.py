"""Landmarks: averages of keys and values that stand for several tokens of one window each.

A landmark is made of ``pool`` tokens of a window, row by row; a window's last one may be made of
fewer. Its row on a board is the average key and, beside it, the average value: (2·dim,). Rows are
window after window. They travel as two rows of dim each, the key's and then the value's.

In attention a landmark of n tokens has the score of its key plus log n, so that n tokens with
equal keys weigh as much as they would one by one. Scores are linear in keys and relative positions
are added per row and per column, so its score is the average of its tokens' scores: exact for
equal scores, and by Jensen's inequality too low by some for others.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from real_runner.shards.attention import Groups
from real_runner.shards.places import coordinates, row_bounds
from workloads.sam.landmark import landmark_count
from workloads.sam.variants import Variant
from workloads.stage import Shard

Bounds = dict[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Landmarks as attention needs them.

    ``rows`` (m, 2·dim) are keys and values, ``groups`` the tokens that each stands for.
    """

    rows: Tensor
    groups: Groups


def landmarks_of(variant: Variant, shard: Shard, pool: int, rows: Tensor) -> Landmarks:
    """Return the landmarks of a shard whose keys and values are ``rows``."""
    log_tokens, shares = _stand_for(variant, shard, pool)
    groups = Groups(
        torch.from_numpy(log_tokens).to(rows.device, rows.dtype),
        torch.from_numpy(shares).to(rows.device, rows.dtype),
    )
    return Landmarks(rows, groups)


def pooled(matrix: Tensor, variant: Variant, shard: Shard, pool: int) -> Tensor:
    """Return the averages of a shard's rows that make its landmarks: (tokens, n) to (m, n)."""
    parts = []
    for start, end in row_bounds(variant, shard).values():
        groups = (end - start) // pool
        middle = start + groups * pool
        parts.append(matrix[start:middle].view(groups, pool, matrix.shape[1]).mean(1))
        if middle < end:
            parts.append(matrix[middle:end].mean(0, keepdim=True))
    return torch.cat(parts)


@lru_cache(maxsize=1 << 12)
def bounds(variant: Variant, shard: Shard, pool: int) -> Bounds:
    """Return for each window of a shard its first landmark and the one after its last."""
    found, start = {}, 0
    for window in shard:
        end = start + landmark_count(variant, pool, (window,))
        found[window] = (start, end)
        start = end
    return found


@lru_cache(maxsize=1 << 12)
def bounds_of_count(variant: Variant, shard: Shard, count: int) -> Bounds | None:
    """Return `bounds` of a shard that has ``count`` landmarks, or none if no pool makes as many.

    Every window has no more landmarks with a greater pool than with a smaller one, so that the
    sum tells how many each has, though not how many tokens the last one of each is made of.
    """
    pools = range(1, variant.window_tokens**2 + 1)
    place = bisect_left(pools, -count, key=lambda pool: -landmark_count(variant, pool, shard))
    if place == len(pools) or landmark_count(variant, pools[place], shard) != count:
        return None
    return bounds(variant, shard, pools[place])


@lru_cache(maxsize=16)  # of single tokens, a whole ViT's is 4 MB
def _stand_for(
    variant: Variant, shard: Shard, pool: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the numbers of `Groups` for a shard's landmarks."""
    index = _landmark_of_token(variant, shard, pool)
    rows, columns = coordinates(variant, shard)
    side = variant.grid_tokens
    shares = np.zeros((index[-1] + 1, 2 * side))
    np.add.at(shares, (index, rows), 1.0)
    np.add.at(shares, (index, side + columns), 1.0)
    tokens = np.bincount(index)
    return np.log(tokens), shares / tokens[:, None]


def _landmark_of_token(variant: Variant, shard: Shard, pool: int) -> npt.NDArray[np.int64]:
    """Return for each token of a shard the place of its landmark among the shard's."""
    first = bounds(variant, shard, pool)
    return np.concatenate(
        [
            first[window][0] + np.arange(end - start) // pool
            for window, (start, end) in row_bounds(variant, shard).items()
        ]
    )
