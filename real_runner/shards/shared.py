"""What stages of mode `shares` do to the board of a request; see `workloads.sam.shares`.

=========== ================== ====================== ============ =============
layer       reads              before the product     makes        after it, bias
=========== ================== ====================== ============ =============
patch_embed pixels             into patches           tokens 0     positions
qkv         tokens b           norm                   qkv b
proj        attention b                               middle b     + tokens b
lin1        middle b           norm                   hidden b
lin2        hidden b           GELU                   tokens b + 1 + middle b
=========== ================== ====================== ============ =============

What a block leaves on the board stays until the next one has ended: where the step that made it is
broken off, the layer's input is wanted again.
"""

import numpy as np
import torch
from torch import Tensor

from real_runner.errors import StepError
from real_runner.executor import Array
from real_runner.shards import ring
from real_runner.shards.arrays import bytes_of
from real_runner.shards.board import Board, Key
from real_runner.shards.entries import patches
from real_runner.shards.kit import Handler, Kit
from workloads.sam.shares import LAYERS, PRODUCT, RING_BYTES, SHARE, UNSHARE
from workloads.stage import Payload, Stage

TENSORS = ("share", "product")
"""What travels of shares."""

_READS = {"qkv": "tokens", "proj": "attention", "lin1": "middle", "lin2": "hidden"}
_MAKES = {"patch_embed": "tokens", "qkv": "qkv", "proj": "middle", "lin1": "hidden",
          "lin2": "tokens"}  # fmt: skip
_ADDS = {"proj": "tokens", "lin2": "middle"}


def share(kit: Kit, board: Board, stage: Stage) -> None:
    """Write a layer's input in fixed point and draw shares of it."""
    name, block = _layer(kit, stage)
    sharing, count = int(stage.setting("sharing")), int(stage.setting("shares"))
    if count < 2:
        raise StepError(f"{stage.kind}: {count} shares; one alone is the input: draw at least 2")
    inputs = _input(kit, board, stage)
    weight = ring.fixed_weight(kit.encoder.linear(name, block)[0])
    secret = ring.encoded(inputs, weight)
    board.vault.open_sharing(sharing, stage.kind)
    board.vault.begin(sharing * count)
    for place, matrix in enumerate(ring.shares_of(secret, count)):
        board.vault.put("share", sharing * count + place, matrix)


def multiply(kit: Kit, board: Board, stage: Stage) -> None:
    """Multiply one share with a layer's weights."""
    name, block = _layer(kit, stage)
    number = int(stage.setting("number"))
    board.vault.begin(number)
    weight = ring.fixed_weight(kit.encoder.linear(name, block)[0])
    matrix = _checked(kit, stage, board.vault.get("share", number, stage.kind), weight.shape[1])
    board.vault.put("product", number, ring.product(matrix, weight))


def unshare(kit: Kit, board: Board, stage: Stage) -> None:
    """Add up the products of all shares, and then what the layer adds."""
    name, block = _layer(kit, stage)
    sharing, count = int(stage.setting("sharing")), int(stage.setting("shares"))
    weight, bias = kit.encoder.linear(name, block)
    products = [
        _checked(
            kit, stage, board.vault.get("product", sharing * count + place, stage.kind), len(weight)
        )
        for place in range(count)
    ]
    result = (ring.decoded(ring.summed(products)) + bias).to(kit.dtype)
    whole = kit.sam.whole
    if name == "patch_embed":
        result += kit.encoder.positions(whole)
    elif name in _ADDS:
        result += board.first_of((Key(_ADDS[name], block),), whole, stage.kind)[1]
    board.write(Key(_MAKES[name], block + (name == "lin2")), whole, result)
    if name == "lin2":
        board.drop_before(("qkv", "attention", "middle", "hidden"), block)


def window_attention(kit: Kit, board: Board, stage: Stage) -> None:
    """Let the whole image's tokens gather from their own windows, given queries, keys, values."""
    allowed = kit.sam.variant.windowed_blocks
    if len(stage.blocks) != 1 or stage.blocks[0] not in allowed:
        raise StepError(f"{stage.kind}: blocks {stage.blocks} are not one of {allowed}")
    (block,), whole = stage.blocks, kit.sam.whole
    _, qkv = board.first_of((Key("qkv", block),), whole, stage.kind)
    board.write(Key("attention", block), whole, kit.encoder.in_windows(qkv, whole, block))


def put(board: Board, payload: Payload, array: Array) -> None:
    """Keep a share or a product that has arrived: 64-bit integers, little-endian, row by row.

    Raises `StepError` where it is not of the size that the payload says.
    """
    data = bytes_of(payload.tensor, array)
    if len(data) != payload.fixed_bytes or not payload.tokens:
        raise StepError(f"{payload.tensor}: {len(data)} bytes; give {payload.fixed_bytes:.0f}")
    if len(data) % (RING_BYTES * payload.tokens):
        raise StepError(f"{payload.tensor}: {len(data)} bytes are no {payload.tokens} equal rows")
    numbers = np.frombuffer(data.tobytes(), "<i8").astype(np.int64).reshape(payload.tokens, -1)
    board.vault.put(payload.tensor, payload.first, torch.from_numpy(numbers))


def get(board: Board, payload: Payload) -> Array:
    """Return a share or a product as the bytes that travel."""
    matrix = board.vault.get(payload.tensor, payload.first, "sending")
    found: Array = matrix.cpu().numpy().astype("<i8", copy=False).reshape(-1).view(np.uint8)
    if len(found) != payload.fixed_bytes:
        raise StepError(
            f"{payload.tensor} {payload.first}: {len(found)} bytes lie here, "
            f"{payload.fixed_bytes:.0f} are wanted"
        )
    return found


def _layer(kit: Kit, stage: Stage) -> tuple[str, int]:
    """Return the linear layer that a stage is about, or raise `StepError`."""
    place, depth = int(stage.setting("layer")), kit.sam.variant.depth
    if not 0 <= place < len(LAYERS):
        raise StepError(f"{stage.kind}: layer {place}; give 0 to {len(LAYERS) - 1}")
    if LAYERS[place] == "patch_embed":
        return LAYERS[place], 0
    if len(stage.blocks) != 1 or not 0 <= stage.blocks[0] < depth:
        raise StepError(f"{stage.kind}: blocks {stage.blocks}; give one from 0 to {depth - 1}")
    return LAYERS[place], stage.blocks[0]


def _input(kit: Kit, board: Board, stage: Stage) -> Tensor:
    """Return a layer's input (tokens, inputs)."""
    name, block = _layer(kit, stage)
    if name == "patch_embed":
        return patches(kit, board, stage)
    _, tensor = board.first_of((Key(_READS[name], block),), kit.sam.whole, stage.kind)
    return kit.encoder.before(tensor, name, block)


def _checked(kit: Kit, stage: Stage, matrix: Tensor, width: int) -> Tensor:
    wanted = (kit.sam.variant.tokens, width)
    if tuple(matrix.shape) != wanted:
        raise StepError(f"{stage.kind}: a share of shape {tuple(matrix.shape)}; give {wanted}")
    return matrix.to(kit.device)


STAGES: dict[str, Handler] = {
    SHARE: share,
    PRODUCT: multiply,
    UNSHARE: unshare,
    "sam.window_attention": window_attention,
}
