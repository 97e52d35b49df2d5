"""Hidden states of one text at one depth, by position."""

import numpy as np
import torch

from real_runner.errors import StepError

_LEAST_POSITIONS = 64


class Rows:
    """Rows (positions, hidden), any of which may be missing."""

    def __init__(self, hidden: int, dtype: torch.dtype, device: torch.device) -> None:
        self._memory = torch.empty((0, hidden), dtype=dtype, device=device)
        self._there = np.zeros(0, dtype=np.bool_)

    def write(self, first: int, rows: torch.Tensor) -> None:
        """Keep the rows of positions from ``first`` on; what lay there is replaced."""
        end = first + len(rows)
        if end > len(self._memory):
            size = max(end, 2 * len(self._memory), _LEAST_POSITIONS)
            memory = self._memory.new_empty((size, self._memory.shape[1]))
            memory[: len(self._memory)] = self._memory
            there = np.zeros(size, dtype=np.bool_)
            there[: len(self._there)] = self._there
            self._memory, self._there = memory, there
        self._memory[first:end] = rows
        self._there[first:end] = True

    def read(self, first: int, end: int, what: str) -> torch.Tensor:
        """Return the rows of positions [first, end); `StepError`, naming ``what``, without them."""
        there = self._there[first:end]
        if len(there) < end - first or not there.all():
            missing = first + int(there.argmin()) if len(there) and not there.all() else first
            raise StepError(f"{what}: position {max(missing, first)} of {first} to {end - 1} lacks")
        return self._memory[first:end]
