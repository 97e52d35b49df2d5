"""What arrives for a request, checked against the model and kept on its board."""

import numpy as np
import torch

from real_runner.errors import StepError
from real_runner.executor import Array, expected_shape
from real_runner.shards.arrays import bytes_of, tensor_of
from real_runner.shards.sdxl.board import Board
from workloads.sdxl.costs import SIZES
from workloads.sdxl.model import RAW_BYTES, Sdxl
from workloads.stage import Payload


class Arrivals:
    """Puts on a board what has arrived in the right shape; `StepError` for anything else."""

    def __init__(self, model: Sdxl, dtype: torch.dtype, device: torch.device) -> None:
        self._model = model
        self._dtype = dtype
        self._device = device

    def keep(self, board: Board, payload: Payload, array: Array) -> None:
        """Keep what ``payload`` names."""
        model, done = self._model, payload.blocks_done
        embedding, pooled, _ = model.told
        match payload.tensor:
            case "prompt":
                board.prompts = self._prompts(array)
            case "seed":
                board.seed = int(_integers("seed", array, (1,), "<u8")[0])
            case "sizes":
                board.sizes = _integers("sizes", array, (model.prompts, SIZES), "<i4")
            case "embedding":
                rows = self._numbers("embedding", embedding, array)
                board.embedding = rows.reshape(model.prompts, model.variant.text_tokens, -1)
            case "pooled":
                board.pooled = self._numbers("pooled", pooled, array)
            case "latent":
                board.latents[done] = self._field("latent", model.steps, payload, array)
            case "noise":
                board.write_noise(done, self._field("noise", model.steps - 1, payload, array))
            case "image":
                shape = (model.height_px, model.width_px, RAW_BYTES)
                board.image = _integers("image", array, shape, "u1").reshape(-1)
            case _:
                raise StepError(f"{payload.tensor}: no tensor of SDXL that this worker keeps")

    def _prompts(self, array: Array) -> Array:
        model = self._model
        tokens = _integers("prompt", array, (model.prompts, model.variant.text_tokens), "<i4")
        vocabulary = min(encoder.vocabulary for encoder in model.variant.encoders)
        if tokens.min() < 0 or tokens.max() >= vocabulary:
            raise StepError(
                f"prompt: token numbers from {tokens.min()} to {tokens.max()}; {model.name} has 0 "
                f"to {vocabulary - 1}"
            )
        return tokens

    def _field(self, name: str, most: int, payload: Payload, array: Array) -> torch.Tensor:
        """Return a latent or a noise as (1, channels, height, width)."""
        done = payload.blocks_done
        if not 0 <= done <= most:
            raise StepError(f"{name} after {done} steps: there are 0 to {most}")
        matrix = self._numbers(f"{name} after {done} steps", self._model.latent(done), array)
        return matrix.reshape(1, -1, *self._model.latent_size)

    def _numbers(self, what: str, wanted: Payload, array: Array) -> torch.Tensor:
        return tensor_of(what, array, expected_shape(wanted), self._dtype, self._device)


def _integers(what: str, array: Array, shape: tuple[int, ...], dtype: str) -> Array:
    """Return a vector of bytes as the numbers that it is."""
    content = bytes_of(what, array)
    wanted = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if len(content) != wanted:
        raise StepError(f"{what}: {len(content)} bytes; give {wanted}, {shape} of {dtype}")
    return content.copy().view(dtype).reshape(shape)
