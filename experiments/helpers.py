"""Processes that work for another one, and are nobody's when that is gone."""

import signal

from real_runner.workers.confinement import die_with_parent


def live_with(parent: int) -> None:
    """End this process with its ``parent``, and leave it to that what to make of other signals.

    Those of a terminal reach the whole group.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent(parent)
