"""SAM on one node: an executor that computes shards with real tensors."""

from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from threading import Lock
from typing import Any

import torch

from real_runner.deployment import NodeSpec
from real_runner.errors import StepError
from real_runner.executor import EMPTY, NOTHING, Array, Made, expected_shape, never
from real_runner.shards import pixels, shared, stages, weights
from real_runner.shards.architecture import empty_sam, empty_tile_encoder, tile_variant
from real_runner.shards.arrays import DTYPES, bytes_of, device_of, numpy_of, tensor_of
from real_runner.shards.board import Board, key_of
from real_runner.shards.decoder import Decoder, checked_prompts
from real_runner.shards.encoder import Encoder
from real_runner.shards.kit import Kit
from real_runner.shards.landmarks import Bounds, bounds_of_count
from real_runner.shards.noise import Words, cryptographic
from workloads.errors import WorkloadError
from workloads.sam.geometry import shard_tokens
from workloads.sam.model import Sam
from workloads.sam.variants import Variant
from workloads.stage import Payload, Stage

ROWS_PER_TOKEN = {"tokens": 1, "attention": 1, "embedding": 1, "qkv": 3, "landmarks": 2}
"""Vectors that stand below each other for one token, or for one landmark.

Of ``qkv`` they are its query, key and value; of ``landmarks``, its key and value.
"""


class SamExecutor:
    """Implements `real_runner.executor.Executor` with the parts of one model.

    Besides tensors of tokens these travel: ``image``, the captured file; ``pixels``, tiles as
    bytes, each after its length as ``uint32`` unless they are raw; ``prompt``, float32 (prompts,
    2, 3): x and y in pixels of the captured image, and a label; ``mask``, one bit per pixel of the
    resized square; ``share`` and ``product``, 64-bit integers.
    """

    def __init__(self, kit: Kit) -> None:
        self._sam = kit.sam
        self._kit = kit
        self._boards: dict[int, Board] = {}
        self._lock = Lock()

    def serving(self, model: Sam) -> "SamExecutor":
        """Return one with the same weights for pictures of another size, or more prompts."""
        return SamExecutor(self._kit.serving(model))

    def put(self, job: int, payload: Payload, array: Array) -> None:
        """Keep what has arrived; a floating-point array itself, not a copy, where it fits."""
        board = self._board(job)
        match payload.tensor:
            case "image":
                board.file = bytes_of(payload.tensor, array)
            case "pixels":
                self._check_shard(payload)
                tiles = pixels.parted(self._sam, bytes_of(payload.tensor, array), payload.shard)
                board.tiles.update(tiles)
            case "prompt":
                board.prompts = checked_prompts(self._sam, array)
            case "mask":
                board.masks = bytes_of(payload.tensor, array)
            case "landmarks" if not payload.shard:  # for who has all windows there are no others
                if array.size:
                    raise StepError(f"landmarks of no windows: shape {array.shape}; give none")
            case tensor if tensor in shared.TENSORS:
                shared.put(board, payload, array)
            case _:
                self._keep(board, payload, array)

    def get(self, job: int, payload: Payload) -> Array:
        """Return what ``payload`` names; it is not to be written to."""
        board = self._board(job)
        match payload.tensor:
            case "image":
                return _there(board.file, payload, board)
            case "pixels":
                return self._pixels(board, payload)
            case "prompt":
                return _there(board.prompts, payload, board)
            case "mask":
                return _there(board.masks, payload, board)
            case tensor if tensor in shared.TENSORS:
                return shared.get(board, payload)
            case _:
                return self._rows(board, payload)

    def run(
        self, job: int, stages_: tuple[Stage, ...], stopped: Callable[[], bool] = never
    ) -> Made:
        """Run the stages in order; each leaves its result on the request's board."""
        board = self._board(job)
        with torch.inference_mode():
            for stage, following in zip_longest(stages_, stages_[1:]):
                if stopped():
                    break
                try:
                    stages.run(self._kit, board, stage, following)
                except WorkloadError as error:
                    raise StepError(f"{stage.kind}: {error}") from error
        return NOTHING

    def forget(self, job: int) -> None:
        """Drop all that is kept for a request."""
        with self._lock:
            self._boards.pop(job, None)

    def _board(self, job: int) -> Board:
        with self._lock:
            return self._boards.setdefault(job, Board(self._sam.variant))

    def _pixels(self, board: Board, payload: Payload) -> Array:
        self._check_shard(payload)
        tiles = {w: board.tiles[w] for w in payload.shard if w in board.tiles}
        if len(tiles) < len(payload.shard) and board.square is not None:
            tiles = pixels.cut(self._sam, board.square, payload.shard)
        if len(tiles) < len(payload.shard) or not tiles:
            raise StepError(f"pixels of windows {payload.shard}: here lie {board.content()}")
        return pixels.joined(self._sam, [tiles[window] for window in payload.shard])

    def _rows(self, board: Board, payload: Payload) -> Array:
        if payload.tensor == "landmarks" and not payload.shard:
            return EMPTY  # for who has all windows there are no others
        self._check_shard(payload)
        key = key_of(payload, self._sam.variant)
        _, matrix = board.first_of((key,), payload.shard, "sending")
        array = numpy_of(matrix)
        if array.size != payload.elements:
            raise StepError(
                f"{key} of windows {payload.shard}: {payload.elements} numbers wanted, "
                f"here lie {array.size}"
            )
        return array.reshape(expected_shape(payload))

    def _keep(self, board: Board, payload: Payload, array: Array) -> None:
        """Keep what has arrived as a matrix with one row per token or landmark."""
        count, variant = self._check_shard(payload), self._sam.variant
        rows = None
        if payload.tensor == "landmarks":
            rows = _landmark_bounds(variant, payload)
            count = payload.tokens // ROWS_PER_TOKEN["landmarks"]
        matrix = self._matrix(payload, array, count)
        board.write(key_of(payload, variant), payload.shard, matrix, rows)

    def _matrix(self, payload: Payload, array: Array, count: int) -> torch.Tensor:
        """Return what has arrived with ``count`` rows, or raise `StepError`."""
        name = payload.tensor
        if name not in ROWS_PER_TOKEN:
            raise StepError(f"{name}: no tensor of SAM that this worker keeps")
        variant = self._sam.variant
        width = variant.neck_channels if name == "embedding" else variant.dim
        wanted = (count * ROWS_PER_TOKEN[name], width)
        what = f"{name} of windows {payload.shard}"
        matrix = tensor_of(what, array, wanted, self._kit.dtype, self._kit.device)
        return matrix.reshape(count, -1)

    def _check_shard(self, payload: Payload) -> int:
        """Return the real tokens of a payload's shard, or raise `StepError`."""
        try:
            count = shard_tokens(self._sam.variant, payload.shard)
        except WorkloadError as error:
            raise StepError(f"{payload.tensor}: {error}") from error
        if not count:
            raise StepError(f"{payload.tensor}: an empty shard; name the windows")
        return count


def sam_executor(
    model: Sam, weights_path: Path, spec: NodeSpec, words: Words = cryptographic
) -> SamExecutor:
    """Return an executor for a model with the weights of a checkpoint.

    That is one that `real_runner.shards.weights.load` reads; numbers are in the dtype and on the
    device of ``spec``. Noise is made of ``words``: cryptographic ones, but for experiments that are
    to be repeated. Raises `RealRunError` where the weights do not fit the model or the device is
    not there.
    """
    return SamExecutor(_kit(model, weights_path, spec, words))


def _kit(model: Sam, path: Path, spec: NodeSpec, words: Words) -> Kit:
    variant, dtype = model.variant, DTYPES[spec.dtype]
    device = device_of(spec)
    state = weights.load(path, variant)
    tiles = {n: t for n, t in state.items() if n.startswith(weights.TILE_PREFIX)}
    module: Any = empty_sam(variant)
    module.load_state_dict({n: t for n, t in state.items() if n not in tiles}, assign=True)
    small: Any = empty_tile_encoder(variant)
    tiles = tiles or weights.drawn_tile_encoder(variant, seed=0)
    prefix = len(weights.TILE_PREFIX)
    small.load_state_dict({n[prefix:]: t for n, t in tiles.items()}, assign=True)
    module.prompt_encoder.to(device, torch.float32)
    for part in (module.image_encoder, module.mask_decoder, small):
        part.to(device, dtype)
    return Kit(
        model,
        Encoder(variant, module.image_encoder),
        Encoder(tile_variant(variant), small, layout=variant),
        Decoder(model, module),
        dtype,
        device,
        words,
    )


def _landmark_bounds(variant: Variant, payload: Payload) -> Bounds:
    """Return which landmarks are each window's; `StepError` where no pooling makes so many."""
    count, odd = divmod(payload.tokens, ROWS_PER_TOKEN["landmarks"])
    found = None if odd else bounds_of_count(variant, payload.shard, count)
    if found is None:
        raise StepError(
            f"landmarks of windows {payload.shard}: {payload.tokens} rows, as no pooling makes; "
            "give a key and a value for each landmark"
        )
    return found


def _there(value: Array | None, payload: Payload, board: Board) -> Array:
    if value is None:
        raise StepError(f"{payload.tensor}: here lie {board.content()}")
    return value
