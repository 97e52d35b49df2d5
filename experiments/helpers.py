"""Processes that work for another one, and are nobody's when that is gone."""

import os
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from real_runner.errors import RealRunError
from real_runner.workers.confinement import die_with_parent

T = TypeVar("T")
R = TypeVar("R")


def live_with(parent: int) -> None:
    """End this process with its ``parent``, and leave it to that what to make of other signals.

    Those of a terminal reach the whole group.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent(parent)


def done_by(
    processes: int, work: Callable[[T], R], items: Iterable[T], **sharing: Any
) -> Iterator[R]:
    """Yield what ``work`` makes of each item; all goes through pickle.

    With one process it is this one, -1 is one per processor. ``sharing`` are `joblib.Parallel`'s
    options of how items are handed out and come back. A process that has grown by much is replaced
    once an item is done, of which nothing is said. Raises `RealRunError` where a process is ended
    from outside.
    """
    if processes == 1:
        yield from map(work, items)
        return
    from joblib import Parallel, delayed  # noqa: PLC0415 - takes a while

    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    crew = Parallel(n_jobs=processes, initializer=live_with, initargs=(os.getpid(),), **sharing)
    try:
        yield from crew(delayed(work)(item) for item in items)
    except BrokenProcessPool as error:
        raise RealRunError(
            "a process that worked for this one was killed, perhaps for want of memory; what is "
            "done is kept where it was to be"
        ) from error
