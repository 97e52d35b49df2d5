"""What each kind of stage does to the board of a request.

A stage finds its input by the level that its blocks begin at, so it never takes something stale
for it: tokens that passed fewer or more blocks are no input, whatever lies there. Mode `deferred`
runs blocks in another order; there a block's level is the number of blocks run before it.
"""

from dataclasses import replace

import numpy as np
import torch

from real_runner.errors import StepError
from real_runner.shards import pixels, shared
from real_runner.shards.arrays import numpy_of
from real_runner.shards.board import Board, Key
from real_runner.shards.dense import product
from real_runner.shards.entries import embedded, entry_keys, lacking, tokens_of
from real_runner.shards.kit import Handler, Kit
from real_runner.shards.noise import privatised
from real_runner.shards.segments import exchange, landmark, tokenwise
from workloads.sam.geometry import shard_tokens, windows
from workloads.sam.withholding import Withheld
from workloads.stage import Stage


def prepare(kit: Kit, board: Board, stage: Stage) -> None:
    """Decode the captured file and resize it to the model's square."""
    if board.file is None:
        raise lacking(stage, "the captured image", board)
    board.square = pixels.prepared(board.file, kit.sam.image, kit.sam.variant.image_px)


def partition(kit: Kit, board: Board, stage: Stage) -> None:
    """Cut the square into tiles as they travel."""
    if board.square is None:
        raise lacking(stage, "the resized image", board)
    sent = pixels.without(kit.sam.variant, board.square, Withheld.by(stage))
    board.tiles.update(pixels.cut(kit.sam, sent, kit.sam.whole))


def restore(kit: Kit, board: Board, stage: Stage) -> None:
    """Add to the whole image's tokens what was withheld of pixels, and lost where they were cut.

    An embedding is linear, so that is the embedding of the difference between what the edge has
    and what it sent. Begun again after it was stopped, the edge adds it once all the same.
    """
    if board.square is None:
        raise lacking(stage, "the resized image", board)
    if any(window not in board.tiles for window in kit.sam.whole):
        raise lacking(stage, "the tiles that were sent", board)
    key, tokens = board.first_of(entry_keys(kit.sam, stage), kit.sam.whole, stage.kind)
    if tokens is board.restored:
        return
    weight, _ = kit.encoder.linear("patch_embed", 0)
    withheld = torch.from_numpy(_withheld(kit, board, board.square))
    board.restored = tokens + product(withheld.to(kit.device, kit.dtype), weight)
    board.write(key, kit.sam.whole, board.restored)


def _withheld(kit: Kit, board: Board, square: pixels.Bytes) -> pixels.Numbers:
    """Return the patches of what the edge has less those of what it sent, window after window."""
    sam, known = kit.sam, windows(kit.sam.variant)
    raw = replace(sam, pixel_encoding="raw")
    had = pixels.cut(raw, square, sam.whole)
    parts = [
        pixels.patches_of_tile(raw, had[w], known[w], "float64")
        - pixels.patches_of_tile(sam, board.tiles[w], known[w], "float64")
        for w in sam.whole
    ]
    return np.concatenate(parts)


def patch_embed(kit: Kit, board: Board, stage: Stage) -> None:
    """Embed the patches of the whole image."""
    shard = kit.shard_of(stage)
    board.write(Key("tokens", 0), shard, embedded(kit, kit.encoder, board, stage))


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
    key, tokens = tokens_of(kit, board, stage, entry_keys(kit.sam, stage))
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
    _, tokens = tokens_of(kit, board, stage, (Key("tokens", 0),))
    for block in stage.blocks:
        if block in variant.global_blocks:
            tokens = kit.encoder.attending(tokens, shard, block)
        else:
            tokens = kit.encoder.windowed(tokens, shard, (block,))
    board.write(Key("tokens", variant.depth), shard, tokens)


def tile_encoder(kit: Kit, board: Board, stage: Stage) -> None:
    """Run the small encoder on a shard's pixels; its tokens attend to each other only."""
    shard, encoder = kit.shard_of(stage), kit.tile_encoder
    tokens = embedded(kit, encoder, board, stage)
    for block in range(encoder.variant.depth):
        tokens = encoder.attending(tokens, shard, block)
    embedding = encoder.neck(tokens, shard)
    board.write(Key("embedding", encoder.variant.depth), shard, embedding)


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
        raise lacking(stage, "the prompts", board)
    _, embedding = board.first_of(entry_keys(kit.sam, stage), kit.sam.whole, stage.kind)
    board.masks = kit.decoder.masks(kit.encoder.on_grid(embedding), board.prompts)


def merge(kit: Kit, board: Board, stage: Stage, following: Stage | None) -> None:
    """Put all shards' tensors together: what the following stage reads, else the most advanced."""
    keys = entry_keys(kit.sam, following) if following is not None else ()
    if not keys:
        keys = _most_advanced(kit, board)
    if not keys:
        raise lacking(stage, "tensors of any shard", board)
    key, matrix = board.first_of(keys, kit.sam.whole, stage.kind)
    board.write(key, kit.sam.whole, matrix)


def split(kit: Kit, board: Board, stage: Stage) -> None:
    """Cut the whole image's tensors into shards: the rows of each window become its own."""
    keys = _most_advanced(kit, board)
    if not keys or board.missing(keys[0], kit.sam.whole):
        raise lacking(stage, "a tensor of the whole image", board)


def _most_advanced(kit: Kit, board: Board) -> tuple[Key, ...]:
    """Return what lies here of tensors of tokens: what is complete before what is not."""
    keys = [key for tensor in TRAVELLING for key in board.levels(tensor)]
    return tuple(sorted(keys, key=lambda key: len(board.missing(key, kit.sam.whole)) > 0))


TRAVELLING = ("embedding", "qkv", "attention", "tokens")
"""Tensors of tokens that shards exchange."""


SIMPLE: dict[str, Handler] = {
    "sam.prepare": prepare,
    "sam.partition": partition,
    "sam.restore": restore,
    "sam.patch_embed": patch_embed,
    "sam.privatise": privatise,
    "sam.windowed": windowed,
    "sam.global": global_block,
    "sam.local": local,
    "sam.tile_encoder": tile_encoder,
    "sam.tokenwise": tokenwise,
    "sam.landmark": landmark,
    "sam.exchange": exchange,
    "sam.attention": attention,
    "sam.split": split,
    "sam.neck": neck,
    "sam.decode": decode,
    **shared.STAGES,
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
