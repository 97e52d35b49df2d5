"""Stages that a cloud runs from the inside of one global block to the inside of the next.

What is needed to go on there stays on the board: the tokens that enter the next global block, and
in mode `landmark` their queries, keys and values, too. So a shard must go on where it began.
"""

from torch import Tensor

from real_runner.errors import StepError
from real_runner.shards.board import Board, Key
from real_runner.shards.entries import global_block_of, segment_of, tokens_of
from real_runner.shards.kit import Kit
from real_runner.shards.landmarks import Landmarks, bounds, landmarks_of
from workloads.errors import WorkloadError
from workloads.sam.landmark import landmark_count
from workloads.sam.runs import Segment
from workloads.sam.variants import Variant
from workloads.stage import Shard, Stage


def tokenwise(kit: Kit, board: Board, stage: Stage) -> None:
    """Run a shard from what one global block's attention gathered to the next one's queries."""
    shard = kit.shard_of(stage)
    segment = segment_of(kit.sam.variant, stage)
    if segment.opening is None:
        _, tokens = tokens_of(kit, board, stage, (Key("tokens", 0),))
    else:
        _, attended = board.first_of((Key("attention", segment.opening),), shard, stage.kind)
        _, tokens = board.first_of((Key("tokens", segment.opening),), shard, stage.kind)
        tokens = kit.encoder.finish(tokens, attended, segment.opening)
    _go_on(kit, board, shard, segment, tokens)


def landmark(kit: Kit, board: Board, stage: Stage) -> None:
    """Run a shard from one global block's attention to the next one's landmarks.

    It attends to its own keys, which it has kept, and to the landmarks of all other windows.
    """
    shard, variant = kit.shard_of(stage), kit.sam.variant
    segment, pool = segment_of(variant, stage), _pool_of(stage, variant)
    if segment.opening is None:
        _, tokens = tokens_of(kit, board, stage, (Key("tokens", 0),))
    else:
        tokens = _attending(kit, board, stage, segment.opening, pool)
    qkv = _go_on(kit, board, shard, segment, tokens)
    if qkv is not None and segment.closing is not None:
        pooled = kit.encoder.pooled(qkv, shard, pool)
        rows = bounds(variant, shard, pool)
        board.write(Key("landmarks", segment.closing), shard, pooled, rows)


def exchange(kit: Kit, board: Board, stage: Stage) -> None:
    """Have the landmarks of all windows here, to be passed on; they are left as they are."""
    block = global_block_of(stage, kit.sam.variant.global_blocks)
    board.first_of((Key("landmarks", block),), kit.sam.whole, stage.kind)


def _go_on(kit: Kit, board: Board, shard: Shard, segment: Segment, tokens: Tensor) -> Tensor | None:
    """Run windowed blocks; return the next global block's queries, keys and values if there is one.

    These and the tokens that enter it stay on the board.
    """
    tokens = kit.encoder.windowed(tokens, shard, segment.windowed)
    end = kit.sam.variant.depth if segment.closing is None else segment.closing
    board.write(Key("tokens", end), shard, tokens)
    if segment.closing is None:
        return None
    qkv = kit.encoder.project(tokens, segment.closing)
    board.write(Key("qkv", end), shard, qkv)
    return qkv


def _attending(kit: Kit, board: Board, stage: Stage, block: int, pool: int) -> Tensor:
    """Return a shard's tokens after a global block that sees landmarks of all other windows."""
    shard = kit.shard_of(stage)
    _, qkv = board.first_of((Key("qkv", block),), shard, stage.kind)
    _, tokens = board.first_of((Key("tokens", block),), shard, stage.kind)
    others = _others(kit, board, stage, block, pool)
    attended = kit.encoder.attention(qkv, shard, block, others)
    return kit.encoder.finish(tokens, attended, block)


def _others(kit: Kit, board: Board, stage: Stage, block: int, pool: int) -> Landmarks | None:
    """Return the landmarks of all windows outside the shard; none where it has all windows."""
    mine, variant = set(kit.shard_of(stage)), kit.sam.variant
    others = tuple(window for window in kit.sam.whole if window not in mine)
    if not others:
        return None
    key, rows = board.first_of((Key("landmarks", block),), others, stage.kind)
    count = landmark_count(variant, pool, others)
    if len(rows) != count:
        raise StepError(
            f"{stage.kind}: {len(rows)} {key} of windows {others}, but pool {pool} makes {count}; "
            "pool them alike on all nodes"
        )
    return landmarks_of(variant, others, pool, rows)


def _pool_of(stage: Stage, variant: Variant) -> int:
    """Return how many tokens become one landmark."""
    most = variant.padded_window_tokens
    try:
        pool = stage.setting("pool")
    except WorkloadError as error:
        raise StepError(str(error)) from error
    if not 1 <= pool <= most or not float(pool).is_integer():
        raise StepError(f"{stage.kind}: pool {pool:g}; give a whole number from 1 to {most}")
    return int(pool)
