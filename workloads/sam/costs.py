"""Work of the parts of SAM's image encoder, in closed form.

Derived from ``segment_anything/modeling/image_encoder.py``; C = ``dim``, n = real tokens,
p = tokens with padding (196 per window of 14²). In a windowed block the zero padding is added
after the first norm and removed after the projection, so qkv, attention and projection run on p
tokens and the MLP on n. Multiply-accumulates of one block:

- windowed: 4·C²·p + 8·C²·n + 2·p·196·C + 2·p·14·C
- global:  12·C²·n + 2·n·k·C + 2·n·64·C, with k = n keys (the whole image or a shard's own)

The last term is the decomposed relative position (``add_decomposed_rel_pos``): each query is
multiplied with the table of every row and every column of its window or of the grid; a query of
a shard meets all 64, too, since a shard need not be a rectangle.
"""

from functools import lru_cache

from workloads.sam.variants import Variant
from workloads.work import Work, attention, copy, linear, norm

COLOURS = 3


@lru_cache(maxsize=1 << 14)
def patch_embedding(variant: Variant, tokens: int) -> Work:
    """Return the work of embedding ``tokens`` patches and adding their absolute positions.

    Only these tokens' rows of the position table are counted as parameters.
    """
    positions = Work(parameters=tokens * variant.dim, launches=1)
    return linear(tokens, COLOURS * variant.patch_px**2, variant.dim) + positions


def project(variant: Variant, tokens: int) -> Work:
    """Return the work of a block's first part: norm, then queries, keys and values."""
    return norm(variant.dim) + linear(tokens, variant.dim, 3 * variant.dim)


def attend(
    variant: Variant, queries: int, keys: int, side: int, *, keys_per_query: int | None = None
) -> Work:
    """Return the work of a block's second part: attention with relative positions.

    ``side`` is the side of the square, in tokens, that positions are relative in.
    """
    work = attention(queries, keys, variant.dim, keys_per_query=keys_per_query)
    return work + _relative_position(variant, queries, side)


def _relative_position(variant: Variant, queries: int, side: int) -> Work:
    """Return the work for rows and columns; their sums are written once and read once."""
    if not variant.relative_position:
        return Work()
    one_axis = Work(
        macs=queries * side * variant.dim,
        moved=queries * variant.dim + 2 * queries * side * variant.heads,
        parameters=(2 * side - 1) * variant.head_dim,
        launches=1,
    )
    return one_axis.times(2)


def finish(variant: Variant, tokens: int, padded_tokens: int | None = None) -> Work:
    """Return the work of a block's last part: projection, then norm and MLP.

    The projection runs on ``padded_tokens`` (default: ``tokens``).
    """
    dim, hidden = variant.dim, variant.dim * variant.mlp_ratio
    projection = linear(tokens if padded_tokens is None else padded_tokens, dim, dim)
    return projection + norm(dim) + linear(tokens, dim, hidden) + linear(tokens, hidden, dim)


@lru_cache(maxsize=1 << 14)
def windowed_block(variant: Variant, windows: int, tokens: int) -> Work:
    """Return the work of one windowed block on ``windows`` windows of ``tokens`` real tokens."""
    met = variant.padded_window_tokens
    padded = windows * met
    return (
        project(variant, padded)
        + attend(variant, padded, padded, variant.window_tokens, keys_per_query=met)
        + finish(variant, tokens, padded)
        + Work(launches=2)  # into windows and back, fused with the products beside it
    )


@lru_cache(maxsize=1 << 14)
def global_block(variant: Variant, tokens: int, keys: int | None = None) -> Work:
    """Return the work of one global block on ``tokens`` tokens.

    Each meets ``keys`` keys (default: the tokens themselves). With the tokens of a shard this is
    attention restricted to it.
    """
    met = tokens if keys is None else keys
    return (
        project(variant, tokens)
        + attend(variant, tokens, met, variant.grid_tokens)
        + finish(variant, tokens)
    )


@lru_cache(maxsize=1 << 14)
def neck(variant: Variant, tokens: int) -> Work:
    """Return the work of the neck: convolutions 1×1 and 3×3, each with a norm."""
    out = variant.neck_channels
    spatial = Work(
        macs=tokens * 9 * out * out, moved=2 * tokens * out, parameters=9 * out * out, launches=1
    )
    return linear(tokens, variant.dim, out, bias=False) + norm(out) + spatial + norm(out)


@lru_cache
def encoder(variant: Variant) -> Work:
    """Return the work of the whole image encoder on one image, neck included."""
    whole = variant.tokens
    grid_windows = -(-variant.grid_tokens // variant.window_tokens)
    windowed = windowed_block(variant, grid_windows**2, whole)
    return (
        patch_embedding(variant, whole)
        + windowed.times(len(variant.windowed_blocks))
        + global_block(variant, whole).times(len(variant.global_blocks))
        + neck(variant, whole)
    )


def cut(variant: Variant, elements_per_token: int) -> Work:
    """Return the work of copying the whole image's tokens into shards, or out of them."""
    return copy(variant.tokens * elements_per_token)
