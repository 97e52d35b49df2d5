"""What each kind of stage does to the board of a request.

A stage finds its input by the level that its blocks begin at, so it never takes something stale
for it: tokens that passed fewer or more blocks are no input, whatever lies there. Mode `deferred`
runs blocks in another order; there a block's level is the number of blocks run before it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from real_runner.errors import StepError
from real_runner.shards import pixels
from real_runner.shards.architecture import tile_variant
from real_runner.shards.arrays import numpy_of
from real_runner.shards.board import Board, Key
from real_runner.shards.decoder import Decoder
from real_runner.shards.encoder import Encoder
from real_runner.shards.noise import Words, cryptographic, privatised
from real_runner.shards.places import grid_order
from workloads.sam.geometry import shard_tokens, windows
from workloads.sam.model import Sam
from workloads.sam.runs import Segment, segments
from workloads.sam.variants import Variant
from workloads.stage import Shard, Stage


@dataclass(frozen=True, slots=True)
class Kit:
    """What stages compute with: the model's description, its parts and where they compute.

    ``words`` is where noise comes from.
    """

    sam: Sam
    encoder: Encoder
    tile_encoder: Encoder
    decoder: Decoder
    dtype: torch.dtype
    device: torch.device
    words: Words = cryptographic

    def shard_of(self, stage: Stage) -> Shard:
        """Return the windows that a stage runs on."""
        return stage.shard or self.sam.whole


def prepare(kit: Kit, board: Board, stage: Stage) -> None:
    """Decode the captured file and resize it to the model's square."""
    if board.file is None:
        raise _lacking(stage, "the captured image", board)
    board.square = pixels.prepared(board.file, kit.sam.image, kit.sam.variant.image_px)


def partition(kit: Kit, board: Board, stage: Stage) -> None:
    """Cut the square into tiles as they travel."""
    if board.square is None:
        raise _lacking(stage, "the resized image", board)
    board.tiles.update(pixels.cut(kit.sam, board.square, kit.sam.whole))


def patch_embed(kit: Kit, board: Board, stage: Stage) -> None:
    """Embed the patches of the whole image."""
    shard = kit.shard_of(stage)
    board.write(Key("tokens", 0), shard, _embedded(kit, kit.encoder, board, stage))


def privatise(kit: Kit, board: Board, stage: Stage) -> None:
    """Clip the whole image's patch embeddings and add noise; nothing keeps them without.

    Positions say nothing of the picture, so they are taken off before and put on again after.
    """
    shard, key = kit.shard_of(stage), Key("tokens", 0)
    _, tokens = board.first_of((key,), shard, stage.kind)
    positions = kit.encoder.positions(shard).double()
    rows = numpy_of(tokens.double() - positions)
    try:
        noisy = privatised(rows, stage.setting("clip"), stage.setting("sigma"), kit.words)
    except ValueError as error:
        raise StepError(f"{stage.kind}: {error}") from error
    released = torch.from_numpy(noisy).to(kit.device) + positions
    board.write(key, shard, released.to(kit.dtype))


def windowed(kit: Kit, board: Board, stage: Stage) -> None:
    """Run windowed blocks on a shard, after embedding its pixels if it has no tokens yet."""
    shard = kit.shard_of(stage)
    key, tokens = _tokens(kit, board, stage, entry_keys(kit.sam, stage))
    tokens = kit.encoder.windowed(tokens, shard, stage.blocks)
    skips = stage.blocks != tuple(range(stage.blocks[0], stage.blocks[0] + len(stage.blocks)))
    deferred = key.deferred or skips
    board.write(Key("tokens", key.level + len(stage.blocks), deferred), shard, tokens)


def global_block(kit: Kit, board: Board, stage: Stage) -> None:
    """Run one global block on the whole image."""
    whole = kit.sam.whole
    key, tokens = board.first_of(entry_keys(kit.sam, stage), whole, stage.kind)
    tokens = kit.encoder.attending(tokens, whole, stage.blocks[0])
    board.write(key._replace(level=key.level + 1), whole, tokens)


def local(kit: Kit, board: Board, stage: Stage) -> None:
    """Run every block on a shard, global attention restricted to its own tokens."""
    shard, variant = kit.shard_of(stage), kit.sam.variant
    if stage.blocks != tuple(range(variant.depth)):
        raise StepError(f"{stage.kind}: blocks {stage.blocks}; it runs all {variant.depth}")
    _, tokens = _tokens(kit, board, stage, (Key("tokens", 0),))
    for block in stage.blocks:
        if block in variant.global_blocks:
            tokens = kit.encoder.attending(tokens, shard, block)
        else:
            tokens = kit.encoder.windowed(tokens, shard, (block,))
    board.write(Key("tokens", variant.depth), shard, tokens)


def tile_encoder(kit: Kit, board: Board, stage: Stage) -> None:
    """Run the small encoder on a shard's pixels; its tokens attend to each other only."""
    shard, encoder = kit.shard_of(stage), kit.tile_encoder
    tokens = _embedded(kit, encoder, board, stage)
    for block in range(encoder.variant.depth):
        tokens = encoder.attending(tokens, shard, block)
    embedding = encoder.neck(tokens, shard)
    board.write(Key("embedding", encoder.variant.depth), shard, embedding)


def tokenwise(kit: Kit, board: Board, stage: Stage) -> None:
    """Run a shard from what one global block's attention gathered to the next one's queries.

    What is needed to go on, the tokens that enter the next global block, stays on the board.
    """
    shard, encoder = kit.shard_of(stage), kit.encoder
    segment = _segment(kit.sam.variant, stage)
    if segment.opening is None:
        _, tokens = _tokens(kit, board, stage, (Key("tokens", 0),))
    else:
        _, attended = board.first_of((Key("attention", segment.opening),), shard, stage.kind)
        _, tokens = board.first_of((Key("tokens", segment.opening),), shard, stage.kind)
        tokens = encoder.finish(tokens, attended, segment.opening)
    tokens = encoder.windowed(tokens, shard, segment.windowed)
    end = kit.sam.variant.depth if segment.closing is None else segment.closing
    board.write(Key("tokens", end), shard, tokens)
    if segment.closing is not None:
        board.write(Key("qkv", end), shard, encoder.project(tokens, segment.closing))


def attention(kit: Kit, board: Board, stage: Stage) -> None:
    """Let the whole image's tokens gather from each other, given queries, keys and values."""
    key, qkv = board.first_of(entry_keys(kit.sam, stage), kit.sam.whole, stage.kind)
    attended = kit.encoder.attention(qkv, kit.sam.whole, key.level)
    board.write(Key("attention", key.level), kit.sam.whole, attended)


def neck(kit: Kit, board: Board, stage: Stage) -> None:
    """Turn the last block's tokens into the embedding."""
    _, tokens = board.first_of(entry_keys(kit.sam, stage), kit.sam.whole, stage.kind)
    embedding = kit.encoder.neck(tokens, kit.sam.whole)
    board.write(Key("embedding", kit.sam.variant.depth), kit.sam.whole, embedding)


def decode(kit: Kit, board: Board, stage: Stage) -> None:
    """Turn embedding and prompts into masks."""
    if board.prompts is None:
        raise _lacking(stage, "the prompts", board)
    _, embedding = board.first_of(entry_keys(kit.sam, stage), kit.sam.whole, stage.kind)
    board.masks = kit.decoder.masks(kit.encoder.on_grid(embedding), board.prompts)


def merge(kit: Kit, board: Board, stage: Stage, following: Stage | None) -> None:
    """Put all shards' tensors together: what the following stage reads, else the most advanced."""
    keys = entry_keys(kit.sam, following) if following is not None else ()
    if not keys:
        keys = _most_advanced(kit, board)
    if not keys:
        raise _lacking(stage, "tensors of any shard", board)
    key, matrix = board.first_of(keys, kit.sam.whole, stage.kind)
    board.write(key, kit.sam.whole, matrix)


def split(kit: Kit, board: Board, stage: Stage) -> None:
    """Cut the whole image's tensors into shards: the rows of each window become its own."""
    keys = _most_advanced(kit, board)
    if not keys or board.missing(keys[0], kit.sam.whole):
        raise _lacking(stage, "a tensor of the whole image", board)


def _most_advanced(kit: Kit, board: Board) -> tuple[Key, ...]:
    """Return what lies here of tensors of tokens: what is complete before what is not."""
    keys = [key for tensor in TRAVELLING for key in board.levels(tensor)]
    return tuple(sorted(keys, key=lambda key: len(board.missing(key, kit.sam.whole)) > 0))


def entry_keys(sam: Sam, stage: Stage) -> tuple[Key, ...]:
    """Return what a stage reads of tokens, the likelier alternative first; none for others.

    Raises `StepError` where the stage's blocks are none that the model runs that way.
    """
    variant = sam.variant
    match stage.kind:
        case "sam.windowed":
            return tuple(
                Key("tokens", level) for level in _windowed_levels(stage, variant.windowed_blocks)
            )
        case "sam.global":
            block = _global_block(stage, variant.global_blocks)
            turn = variant.global_blocks.index(block)
            skipped = Key("tokens", len(variant.windowed_blocks) + turn, deferred=True)
            return (skipped, Key("tokens", block))
        case "sam.attention":
            return (Key("qkv", _global_block(stage, variant.global_blocks)),)
        case "sam.neck":
            depth = variant.depth
            return (Key("tokens", depth, deferred=True), Key("tokens", depth))
        case "sam.decode":
            ends = (variant.depth, tile_variant(variant).depth)
            return tuple(Key("embedding", level) for level in ends)
        case _:
            return ()


TRAVELLING = ("embedding", "qkv", "attention", "tokens")
"""Tensors of tokens that shards exchange."""


def _windowed_levels(stage: Stage, allowed: tuple[int, ...]) -> tuple[int, ...]:
    """Return the levels that windowed blocks may begin at: in `deferred` all of them begin at 0."""
    if not set(stage.blocks) <= set(allowed):
        raise StepError(f"{stage.kind}: blocks {stage.blocks} are not among {allowed}")
    if not stage.blocks:
        return (0,)
    return (stage.blocks[0], 0) if stage.blocks == allowed else (stage.blocks[0],)


def _global_block(stage: Stage, allowed: tuple[int, ...]) -> int:
    """Return the one global block that a stage runs."""
    if len(stage.blocks) != 1 or stage.blocks[0] not in allowed:
        raise StepError(f"{stage.kind}: blocks {stage.blocks} are not one of {allowed}")
    return stage.blocks[0]


def _segment(variant: Variant, stage: Stage) -> Segment:
    """Return the stretch between two global attentions that a stage runs."""
    for segment in segments(variant):
        if segment.completes == stage.blocks:
            return segment
    known = ", ".join(str(segment.completes) for segment in segments(variant))
    raise StepError(f"{stage.kind}: blocks {stage.blocks} are not one of {known}")


def _tokens(kit: Kit, board: Board, stage: Stage, keys: tuple[Key, ...]) -> tuple[Key, Tensor]:
    """Return a shard's tokens at one of the levels; at level 0 its pixels will do."""
    shard, start = kit.shard_of(stage), Key("tokens", 0)
    nothing = all(board.missing(key, shard) == shard for key in keys)
    if start in keys and nothing and _has(board, shard):
        return start, _embedded(kit, kit.encoder, board, stage)
    return board.first_of(keys, shard, stage.kind)


def _has(board: Board, shard: Shard) -> bool:
    """Whether pixels of all the shard lie here."""
    return board.square is not None or all(window in board.tiles for window in shard)


def _embedded(kit: Kit, encoder: Encoder, board: Board, stage: Stage) -> Tensor:
    """Return the tokens that an encoder makes of a shard's pixels."""
    shard, square = kit.shard_of(stage), board.square
    if not _has(board, shard):
        raise _lacking(stage, f"pixels of windows {shard}", board)
    number = torch.float64 if kit.dtype == torch.float64 else torch.float32
    dtype = "float64" if number == torch.float64 else "float32"
    if square is not None and shard == kit.sam.whole:
        in_grid = torch.from_numpy(pixels.patches_of_square(kit.sam, square, dtype))
        patches = in_grid.index_select(0, torch.from_numpy(grid_order(kit.sam.variant)[1]))
    else:
        known = windows(kit.sam.variant)
        tiles = board.tiles if square is None else pixels.cut(kit.sam, square, shard)
        parts = [pixels.patches_of_tile(kit.sam, tiles[w], known[w], dtype) for w in shard]
        patches = torch.cat([torch.from_numpy(part) for part in parts])
    return encoder.embed(patches.to(kit.device, kit.dtype), shard)


def _lacking(stage: Stage, what: str, board: Board) -> StepError:
    return StepError(f"{stage.kind}: needs {what}; here lie {board.content()}")


SIMPLE: dict[str, Callable[[Kit, Board, Stage], None]] = {
    "sam.prepare": prepare,
    "sam.partition": partition,
    "sam.patch_embed": patch_embed,
    "sam.privatise": privatise,
    "sam.windowed": windowed,
    "sam.global": global_block,
    "sam.local": local,
    "sam.tile_encoder": tile_encoder,
    "sam.tokenwise": tokenwise,
    "sam.attention": attention,
    "sam.split": split,
    "sam.neck": neck,
    "sam.decode": decode,
}
"""Every kind that needs to know of no stage but itself."""


def run(kit: Kit, board: Board, stage: Stage, following: Stage | None) -> None:
    """Run one stage; ``following`` is the one that comes after it in the same step, if any.

    Raises `StepError` for a kind that is not served, and for windows that there are not.
    """
    shard_tokens(kit.sam.variant, stage.shard)
    if stage.kind == "sam.merge":
        merge(kit, board, stage, following)
    elif stage.kind in SIMPLE:
        SIMPLE[stage.kind](kit, board, stage)
    else:
        served = ", ".join([*SIMPLE, "sam.merge"])
        raise StepError(f"{stage.kind}: this worker serves no such stage; it serves {served}")
