"""The same work on many pictures, by as many processes as there are processors.

Each has one thread: of matrices as small as a small model's, two threads do little more than one.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from experiments.helpers import done_by

T = TypeVar("T")
R = TypeVar("R")

FEW: Final = 48
"""Below so many, processes would take longer to start than the work takes."""
_AT_ONCE, _AHEAD = 4, 8


def by_many(work: Callable[[T], R], items: Iterable[T], count: int) -> Iterator[R]:
    """Yield what ``work`` makes of each item, in their order; there are ``count`` of them.

    What it makes must not depend on what else it was given, since each process is given a part.
    """
    processes = len(os.sched_getaffinity(0)) if count >= FEW else 1
    ahead = _AHEAD * processes
    yield from done_by(
        processes, work, items, return_as="generator", batch_size=_AT_ONCE, pre_dispatch=ahead
    )
