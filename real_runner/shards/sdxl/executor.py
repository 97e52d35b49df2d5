"""Stable Diffusion XL on one node: an executor that computes shards with real tensors."""

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock

import numpy as np
import torch

from real_runner.deployment import NodeSpec
from real_runner.errors import StepError
from real_runner.executor import NOTHING, Array, Made, expected_shape, never
from real_runner.shards.arrays import DTYPES, device_of, numpy_of
from real_runner.shards.sdxl import stages
from real_runner.shards.sdxl.arrivals import Arrivals
from real_runner.shards.sdxl.board import Board
from real_runner.shards.sdxl.parts import Parts
from real_runner.shards.sdxl.schedule import Schedule
from workloads.sdxl.model import Sdxl
from workloads.stage import Payload, Stage


class SdxlExecutor:
    """Implements `real_runner.executor.Executor` for one model.

    ``weights`` is a file or a folder (`real_runner.shards.sdxl.checkpoint`), of which each part is
    read when the first stage needs it; numbers are in the dtype and on the device of ``spec``.
    What travels is what `workloads.sdxl.model.Sdxl` names: numbers in that shape, and as bytes,
    little-endian:

    - ``prompt``: int32 (prompts, tokens) as the first tokenizer pads them, the prompt to follow
      first, then with guidance the one to avoid (all zeros: none). The second encoder's padding is
      derived from it.
    - ``seed``: the uint64 that the first latent is drawn with (0 where none comes).
    - ``sizes``: int32 (prompts, 6); like ``embedding`` and ``pooled`` with the prompt to avoid
      first, as the denoiser reads them.
    - ``image`` and ``preview``: RGB, row by row; the latter only leaves.

    Raises `RealRunError` where the device or a package is not there, and, from `run`, where weights
    do not fit the model.
    """

    def __init__(self, model: Sdxl, weights: Path, spec: NodeSpec) -> None:
        dtype, device = DTYPES[spec.dtype], device_of(spec)
        self._model = model
        self.parts = Parts(model.variant, weights, dtype, device)
        self._kit = stages.Kit(model, self.parts, Schedule(model, device), dtype, device)
        self._arrivals = Arrivals(model, dtype, device)
        self._boards: dict[int, Board] = {}
        self._lock = Lock()

    def put(self, job: int, payload: Payload, array: Array) -> None:
        """Keep what has arrived; a floating-point array itself, not a copy, where it fits."""
        self._arrivals.keep(self._board(job), payload, array)

    def get(self, job: int, payload: Payload) -> Array:
        """Return what ``payload`` names; it is not to be written to."""
        board = self._board(job)
        found = _found(board, payload)
        if found is None:
            raise board.lacking("that", f"sending {payload.tensor}")
        if isinstance(found, torch.Tensor):
            return _shaped(numpy_of(found), payload)
        return found

    def run(
        self, job: int, stages_: tuple[Stage, ...], stopped: Callable[[], bool] = never
    ) -> Made:
        """Run the stages in order; each leaves its result on the request's board."""
        board = self._board(job)
        with torch.inference_mode():
            for stage in stages_:
                if stopped():
                    break
                stages.run(self._kit, board, stage)
        return NOTHING

    def forget(self, job: int) -> None:
        """Drop all that is kept for a request."""
        with self._lock:
            self._boards.pop(job, None)

    def _board(self, job: int) -> Board:
        with self._lock:
            return self._boards.setdefault(job, Board())


def _found(board: Board, payload: Payload) -> Array | torch.Tensor | None:
    """Return what ``payload`` names as it lies on the board; bytes as a vector."""
    by_step: dict[str, Mapping[int, Array | torch.Tensor]] = {
        "latent": board.latents,
        "noise": board.noises,
        "preview": board.previews,
    }
    if payload.tensor in by_step:
        return by_step[payload.tensor].get(payload.blocks_done)
    whole = {
        "prompt": _as_bytes(board.prompts),
        "seed": _as_bytes(np.array([board.seed], "<u8")),
        "sizes": _as_bytes(board.sizes),
        "embedding": board.embedding,
        "pooled": board.pooled,
        "image": board.image,
    }
    if payload.tensor not in whole:
        raise StepError(f"{payload.tensor}: no tensor of SDXL that this worker keeps")
    return whole[payload.tensor]


def _as_bytes(array: Array | None) -> Array | None:
    return None if array is None else np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _shaped(array: Array, payload: Payload) -> Array:
    if array.size != payload.elements:
        raise StepError(
            f"{payload.tensor}: {payload.elements} numbers asked for, here lie {array.size}"
        )
    return array.reshape(expected_shape(payload))
