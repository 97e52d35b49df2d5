"""Windows of SAM's token grid: the parts of the image that shards are made of.

The grid is padded at its right and bottom edge to a multiple of the window, so the last row and
column of windows hold fewer real tokens: 64 = 4·14 + 8 gives 25 windows, 16 full, 8 border and
1 corner (``window_partition`` in ``segment_anything/modeling/image_encoder.py``).
"""

from dataclasses import dataclass
from functools import lru_cache

from workloads.errors import WorkloadError
from workloads.sam.variants import Variant
from workloads.stage import Shard


@dataclass(frozen=True, slots=True)
class Window:
    """One attention window: its place among the windows and its extent without padding.

    ``index`` counts row by row. ``side_tokens`` is the padded side, ``patch_px`` the side of one
    token's patch, ``image_px`` the side of the image.
    """

    index: int
    row: int
    column: int
    height_tokens: int
    width_tokens: int
    side_tokens: int
    patch_px: int
    image_px: int

    @property
    def tokens(self) -> int:
        """Real tokens."""
        return self.height_tokens * self.width_tokens

    @property
    def padded_tokens(self) -> int:
        """Tokens that take part in the window's attention."""
        return self.side_tokens**2

    @property
    def top_px(self) -> int:
        """Row of the window's first pixel."""
        return self.row * self.side_tokens * self.patch_px

    @property
    def left_px(self) -> int:
        """Column of the window's first pixel."""
        return self.column * self.side_tokens * self.patch_px

    @property
    def height_px(self) -> int:
        """Height of the visible part."""
        return self.height_tokens * self.patch_px

    @property
    def width_px(self) -> int:
        """Width of the visible part."""
        return self.width_tokens * self.patch_px

    @property
    def pixels(self) -> int:
        """Number of visible pixels."""
        return self.height_px * self.width_px

    @property
    def fraction(self) -> float:
        """Fraction of the image that the window shows."""
        return self.pixels / self.image_px**2


@lru_cache
def windows(variant: Variant) -> tuple[Window, ...]:
    """Return the windows of the image, row by row; a window's index is its place here."""
    side, grid = variant.window_tokens, variant.grid_tokens
    extents = [min(side, grid - start) for start in range(0, grid, side)]
    return tuple(
        Window(
            row * len(extents) + column,
            row,
            column,
            height,
            width,
            side,
            variant.patch_px,
            variant.image_px,
        )
        for row, height in enumerate(extents)
        for column, width in enumerate(extents)
    )


def adjacent(a: Window, b: Window) -> bool:
    """Return whether two windows touch, corners included; no window touches itself."""
    return max(abs(a.row - b.row), abs(a.column - b.column)) == 1


@lru_cache
def all_windows(variant: Variant) -> Shard:
    """Return the shard that is the whole image."""
    return tuple(range(len(windows(variant))))


@lru_cache(maxsize=1 << 16)
def shard_tokens(variant: Variant, shard: Shard) -> int:
    """Return the real tokens of a shard.

    Raises `WorkloadError` if an index names no window or comes twice.
    """
    known = windows(variant)
    if len(set(shard)) != len(shard) or not all(0 <= index < len(known) for index in shard):
        raise WorkloadError(
            f"shard: {shard!r}; give each window once, by its index from 0 to {len(known) - 1}"
        )
    return sum(known[index].tokens for index in shard)
