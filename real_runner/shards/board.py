"""What lies on a node for one request.

Tensors of tokens are kept per window and level: the number of blocks they have passed, and
whether they left out global ones, as in mode `deferred`, whose blocks run in another order. Only
real tokens are kept, never padding. All of it stays until the request is forgotten: after a loss a
new plan sends only what is missing, so what came back in an earlier attempt must still be there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from real_runner.errors import StepError
from real_runner.shards.places import row_bounds
from real_runner.shards.vault import Vault
from workloads.sam.variants import Variant
from workloads.stage import Payload, Shard

Bytes = npt.NDArray[np.uint8]


class Key(NamedTuple):
    """A tensor at a level, e.g. tokens after 2 blocks.

    ``deferred`` says that global blocks were left out on the way, to be run later: such tokens are
    no input for what wants those of the same level that left out none.
    """

    tensor: str
    level: int
    deferred: bool = False

    def __str__(self) -> str:
        way = ", global ones left out at first" if self.deferred else ""
        return f"{self.tensor} after {self.level} blocks{way}"


def key_of(payload: Payload, variant: Variant) -> Key:
    """Return what a payload carries.

    Tokens that mix nothing, though they have passed more blocks than come before the first global
    one, and not all there are, have left that one out.
    """
    before_global = min(variant.global_blocks, default=variant.depth)
    skipped = before_global < payload.blocks_done < variant.depth and not payload.mixes
    return Key(payload.tensor, payload.blocks_done, payload.tensor == "tokens" and skipped)


class _Place(NamedTuple):
    """Where a window's rows are: a shard's matrix, and the rows in it."""

    shard: Shard
    matrix: torch.Tensor
    start: int
    end: int


@dataclass(slots=True)
class Board:
    """The board of one request on one node; may be read and written from several threads.

    ``file`` is the captured image, ``square`` the same decoded and resized, ``tiles`` are windows
    of it as they travel, ``prompts`` and ``masks`` are what their names say, ``vault`` has shares.
    ``restored`` are the tokens to which what was withheld has been added, lest it be added twice.
    """

    variant: Variant
    file: Bytes | None = None
    square: Bytes | None = None
    tiles: dict[int, Bytes] = field(default_factory=dict)
    prompts: npt.NDArray[np.float32] | None = None
    masks: Bytes | None = None
    restored: torch.Tensor | None = None
    vault: Vault = field(default_factory=Vault)
    _windows: dict[Key, dict[int, _Place]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def write(
        self,
        key: Key,
        shard: Shard,
        matrix: torch.Tensor,
        rows: Mapping[int, tuple[int, int]] | None = None,
    ) -> None:
        """Keep a shard's matrix; what lay there of the same windows is replaced.

        ``rows`` says which belong to each window, from the first to the one past the last; by
        default there is one for each token.
        """
        bounds = row_bounds(self.variant, shard) if rows is None else rows
        places = {window: _Place(shard, matrix, *ends) for window, ends in bounds.items()}
        with self._lock:
            self._windows.setdefault(key, {}).update(places)

    def read(self, key: Key, shard: Shard) -> torch.Tensor | None:
        """Return a shard's matrix, put together if need be, or nothing if a window is missing."""
        with self._lock:
            known = self._windows.get(key, {})
            places = [known.get(window) for window in shard]
        found = [place for place in places if place is not None]
        if len(found) < len(shard) or not found:
            return None
        first = found[0]
        if first.shard == shard and all(place.matrix is first.matrix for place in found):
            return first.matrix
        return torch.cat([place.matrix[place.start : place.end] for place in found])

    def first_of(self, keys: tuple[Key, ...], shard: Shard, need: str) -> tuple[Key, torch.Tensor]:
        """Return the first key of which any of the shard lies here, and the shard's matrix.

        Raises `StepError`, beginning with ``need``, where a window of it is missing, or of all.
        """
        chosen = next((key for key in keys if self.missing(key, shard) != shard), keys[0])
        matrix = self.read(chosen, shard)
        if matrix is None:
            raise StepError(
                f"{need}: needs {' or '.join(map(str, keys))}, "
                f"but windows {self.missing(chosen, shard)} are missing; "
                f"here lie {self.content()}"
            )
        return chosen, matrix

    def missing(self, key: Key, shard: Shard) -> Shard:
        """Return the windows of a shard that do not lie here."""
        with self._lock:
            known = self._windows.get(key, {})
            return tuple(window for window in shard if window not in known)

    def drop_before(self, tensors: tuple[str, ...], level: int) -> None:
        """Drop what lies here of tensors below a level."""
        with self._lock:
            for key in [k for k in self._windows if k.tensor in tensors and k.level < level]:
                del self._windows[key]

    def levels(self, tensor: str) -> list[Key]:
        """Return what there is of a tensor, the most advanced first, complete or not."""
        with self._lock:
            return sorted((key for key in self._windows if key.tensor == tensor), reverse=True)

    def content(self) -> str:
        """Return in words what lies here."""
        names = ("file", "square", "tiles", "prompts", "masks")
        there = [name for name in names if getattr(self, name) is not None]
        if not self.tiles:
            there.remove("tiles")
        with self._lock:
            there += [f"{key} of windows {tuple(sorted(w))}" for key, w in self._windows.items()]
        return "; ".join(there) or "nothing"
