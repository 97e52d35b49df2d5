"""How global blocks divide SAM's encoder, seen from the edge and seen from a cloud."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from workloads.sam.variants import Variant


@dataclass(frozen=True, slots=True)
class Run:
    """Windowed blocks, and the global blocks that follow them; either may be empty."""

    windowed: tuple[int, ...]
    following: tuple[int, ...]
    first: int
    """Index of the run's first block."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What lies between two exchanges inside global blocks.

    The second half of the block ``opening`` (none at the start), ``windowed`` blocks, and the
    first half of the block ``closing`` (none at the end).
    """

    opening: int | None
    windowed: tuple[int, ...]
    closing: int | None

    @property
    def completes(self) -> tuple[int, ...]:
        """Blocks whose end lies in the segment."""
        return self.windowed if self.opening is None else (self.opening, *self.windowed)

    @property
    def mixes(self) -> bool:
        """Whether tokens have attended to the whole image before the segment ends."""
        return self.opening is not None


@lru_cache
def runs(variant: Variant) -> tuple[Run, ...]:
    """Return the runs in order; the encoder is their concatenation.

    >>> from workloads.sam.variants import VARIANTS
    >>> [(run.windowed, run.following) for run in runs(VARIANTS["vit-b"])][:2]
    [((0, 1), (2,)), ((3, 4), (5,))]
    """
    found: list[Run] = []
    start = 0
    while start < variant.depth or not found:
        middle = _end(variant, start, is_global=False)
        end = _end(variant, middle, is_global=True)
        found.append(Run(tuple(range(start, middle)), tuple(range(middle, end)), start))
        start = end
    return tuple(found)


def _end(variant: Variant, start: int, *, is_global: bool) -> int:
    """Return the first block from ``start`` on that is not of that sort."""
    block = start
    while block < variant.depth and (block in variant.global_blocks) == is_global:
        block += 1
    return block


@lru_cache
def segments(variant: Variant) -> tuple[Segment, ...]:
    """Return the segments in order: one more than there are global blocks."""
    bounds = (None, *variant.global_blocks, None)
    return tuple(
        Segment(
            opening,
            tuple(
                range(
                    0 if opening is None else opening + 1,
                    variant.depth if closing is None else closing,
                )
            ),
            closing,
        )
        for opening, closing in pairwise(bounds)
    )
