"""What each kind of stage of SAM finds on the board of a request as its input."""

import torch
from torch import Tensor

from real_runner.errors import StepError
from real_runner.shards import pixels
from real_runner.shards.architecture import tile_variant
from real_runner.shards.board import Board, Key
from real_runner.shards.encoder import Encoder
from real_runner.shards.kit import Kit
from real_runner.shards.places import grid_order
from workloads.sam.geometry import windows
from workloads.sam.model import Sam
from workloads.sam.runs import Segment, segments
from workloads.sam.variants import Variant
from workloads.stage import Shard, Stage


def entry_keys(sam: Sam, stage: Stage) -> tuple[Key, ...]:
    """Return what a stage reads of tokens, the likelier alternative first; none for others.

    Raises `StepError` where the stage's blocks are none that the model runs that way.
    """
    variant = sam.variant
    match stage.kind:
        case "sam.windowed" | "sam.restore":
            return _around_windowed(stage, variant.windowed_blocks)
        case "sam.global":
            block = global_block_of(stage, variant.global_blocks)
            turn = variant.global_blocks.index(block)
            skipped = Key("tokens", len(variant.windowed_blocks) + turn, deferred=True)
            return (skipped, Key("tokens", block))
        case "sam.attention":
            return (Key("qkv", global_block_of(stage, variant.global_blocks)),)
        case "sam.neck":
            depth = variant.depth
            return (Key("tokens", depth, deferred=True), Key("tokens", depth))
        case "sam.decode":
            ends = (variant.depth, tile_variant(variant).depth)
            return tuple(Key("embedding", level) for level in ends)
        case _:
            return ()


def _around_windowed(stage: Stage, allowed: tuple[int, ...]) -> tuple[Key, ...]:
    """Return what windowed blocks may begin with, or what was made by those that a stage names."""
    levels = _windowed_levels(stage, allowed)
    if stage.kind == "sam.windowed":
        return tuple(Key("tokens", level) for level in levels)
    left_out = stage.blocks != tuple(range(len(stage.blocks)))
    return (Key("tokens", len(stage.blocks), left_out),)


def _windowed_levels(stage: Stage, allowed: tuple[int, ...]) -> tuple[int, ...]:
    """Return the levels that windowed blocks may begin at: in `deferred` all of them begin at 0."""
    if not set(stage.blocks) <= set(allowed):
        raise StepError(f"{stage.kind}: blocks {stage.blocks} are not among {allowed}")
    if not stage.blocks:
        return (0,)
    return (stage.blocks[0], 0) if stage.blocks == allowed else (stage.blocks[0],)


def global_block_of(stage: Stage, allowed: tuple[int, ...]) -> int:
    """Return the one global block that a stage runs."""
    if len(stage.blocks) != 1 or stage.blocks[0] not in allowed:
        raise StepError(f"{stage.kind}: blocks {stage.blocks} are not one of {allowed}")
    return stage.blocks[0]


def segment_of(variant: Variant, stage: Stage) -> Segment:
    """Return the stretch between two global attentions that a stage runs."""
    for segment in segments(variant):
        if segment.completes == stage.blocks:
            return segment
    known = ", ".join(str(segment.completes) for segment in segments(variant))
    raise StepError(f"{stage.kind}: blocks {stage.blocks} are not one of {known}")


def tokens_of(kit: Kit, board: Board, stage: Stage, keys: tuple[Key, ...]) -> tuple[Key, Tensor]:
    """Return a shard's tokens at one of the levels; at level 0 its pixels will do."""
    shard, start = kit.shard_of(stage), Key("tokens", 0)
    further = any(board.missing(key, shard) != shard for key in keys if key != start)
    if start in keys and not further and board.missing(start, shard) and has_pixels(board, shard):
        return start, embedded(kit, kit.encoder, board, stage)
    return board.first_of(keys, shard, stage.kind)


def has_pixels(board: Board, shard: Shard) -> bool:
    """Whether pixels of all the shard lie here."""
    return board.square is not None or all(window in board.tiles for window in shard)


def embedded(kit: Kit, encoder: Encoder, board: Board, stage: Stage) -> Tensor:
    """Return the tokens that an encoder makes of a shard's pixels."""
    return encoder.embed(patches(kit, board, stage), kit.shard_of(stage))


def patches(kit: Kit, board: Board, stage: Stage) -> Tensor:
    """Return the patches of a shard's pixels, (n, 3·patch²), or raise `StepError`."""
    shard, square = kit.shard_of(stage), board.square
    if not has_pixels(board, shard):
        raise lacking(stage, f"pixels of windows {shard}", board)
    number = torch.float64 if kit.dtype == torch.float64 else torch.float32
    dtype = "float64" if number == torch.float64 else "float32"
    if square is not None and shard == kit.sam.whole:
        in_grid = torch.from_numpy(pixels.patches_of_square(kit.sam, square, dtype))
        found = in_grid.index_select(0, torch.from_numpy(grid_order(kit.sam.variant)[1]))
    else:
        known = windows(kit.sam.variant)
        tiles = board.tiles if square is None else pixels.cut(kit.sam, square, shard)
        parts = [pixels.patches_of_tile(kit.sam, tiles[w], known[w], dtype) for w in shard]
        found = torch.cat([torch.from_numpy(part) for part in parts])
    return found.to(kit.device, kit.dtype)


def lacking(stage: Stage, what: str, board: Board) -> StepError:
    """Return the error of a stage that does not find ``what`` on the board."""
    return StepError(f"{stage.kind}: needs {what}; here lie {board.content()}")
