"""Whether windows fit at all, wherever they lie: what a refusal can be sure of at once.

Leaving out which windows touch, all that counts of a window is its size, and of sizes there are
three at most. So every way to fill the clouds, the fullest first, can be gone through by how many
windows of each size are left: what the ``coalition`` fullest got is then all that is gone.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

from sim.policies.task import Limits

_Counts = tuple[int, ...]

PARTS = 1_000_000
"""Fractions of the image are told apart in so many parts: sums of whole numbers are exact."""


def fits(fractions: Sequence[float], count: int, limits: Limits) -> bool:
    """Return whether windows that show ``fractions`` fit ``count`` clouds, touching or not.

    >>> fits([0.25] * 4, 4, Limits(0.25)), fits([0.25] * 4, 3, Limits(0.45))
    (True, False)
    """
    sizes = Counter(round(fraction * PARTS) for fraction in fractions)
    slack = len(fractions)  # each size may have been rounded up
    cap, together = (int(bound * PARTS) + slack for bound in (limits.cap, limits.coalition_cap))
    kinds = tuple(sorted(sizes, reverse=True))
    whole = sum(size * number for size, number in sizes.items())

    @cache
    def rest_fits(left: _Counts, clouds: int, most: int) -> bool:
        """Whether what is left fits so many clouds, none fuller than the one before."""
        remaining = _size(left, kinds)
        if remaining == 0:
            return True
        if clouds == 0 or remaining > clouds * most:
            return False
        for taken in _shares(left):
            size = _size(taken, kinds)
            if size * clouds < remaining or size > most:
                continue
            rest = tuple(a - b for a, b in zip(left, taken, strict=True))
            first = count - clouds < limits.coalition
            if first and whole - _size(rest, kinds) > together:
                continue
            if rest_fits(rest, clouds - 1, size):
                return True
        return False

    return rest_fits(tuple(sizes[kind] for kind in kinds), count, cap)


def _size(counts: _Counts, kinds: Sequence[int]) -> int:
    return sum(number * kind for number, kind in zip(counts, kinds, strict=True))


def _shares(left: _Counts) -> Iterator[_Counts]:
    """Yield what one cloud can take of what is left."""
    return product(*(range(number, -1, -1) for number in left))
