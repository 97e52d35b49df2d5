"""Keys and values of one text in some layers, in memory that grows and is cut back for nothing."""

import torch

from real_runner.errors import StepError
from workloads.llama.variants import Architecture

_LEAST_POSITIONS = 64


class Cache:
    """What ``layers`` layers keep of a text's first ``length`` positions."""

    def __init__(
        self, architecture: Architecture, layers: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.length = 0
        shape = (layers, 2, architecture.kv_heads, 0, architecture.head_dim)
        self._memory = torch.empty(shape, dtype=dtype, device=device)

    @property
    def held_bytes(self) -> int:
        """The memory it takes, room to grow included."""
        return int(self._memory.nbytes)

    def cut(self, positions: int) -> None:
        """Forget all positions from this one on; `StepError` where there are not so many."""
        if self.length < positions:
            raise StepError(
                f"caches of positions {self.length} to {positions - 1} are gone; send what they "
                "were made of once more"
            )
        self.length = positions

    def make_room(self, new: int) -> None:
        """See that ``new`` more positions have a place."""
        needed, there = self.length + new, self._memory.shape[3]
        if needed <= there:
            return
        layers, two, heads, _, dim = self._memory.shape
        size = max(needed, 2 * there, _LEAST_POSITIONS)
        grown = self._memory.new_empty((layers, two, heads, size, dim))
        grown[:, :, :, : self.length] = self._memory[:, :, :, : self.length]
        self._memory = grown

    def extend(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values (heads, new, dim) of one layer; return those of all positions.

        Room must have been made; the length grows once all layers have been extended.
        """
        end = self.length + keys.shape[1]
        memory = self._memory[layer]
        memory[0, :, self.length : end] = keys
        memory[1, :, self.length : end] = values
        return memory[0, :, :end], memory[1, :, :end]
