"""Named tensors to a file, whole or not at all."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from real_runner.errors import RealRunError

State = dict[str, torch.Tensor]
"""The numbers of a model, by the names of its parameters."""


def save(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a ``.safetensors`` file, whole or not at all; `RealRunError` where there is no room."""
    draft = path.with_suffix(".part")
    try:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, draft)
        draft.replace(path)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise RealRunError(
            f"weights {path}: cannot be written ({error}); make room there, or set "
            "TMPDIR to a folder on another disk"
        ) from error
