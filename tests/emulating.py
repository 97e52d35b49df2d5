"""Whether this machine can emulate links, asked by every test that needs it."""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

T = TypeVar("T")

PROGRAMS: Final = ("ping", "iperf3", "nsenter", "cc")
MININET: Final = ("mnexec", "brctl", "ifconfig")


def why_not(*more: str) -> str:
    """Return why a test of emulated links is skipped, and the one command that enables it.

    ``more`` are programs that it needs besides `PROGRAMS`.
    """
    missing = [program for program in (*PROGRAMS, *more) if shutil.which(program) is None]
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        missing.append("root and /dev/net/tun")
    return f"emulated links need {', '.join(missing)}: sudo make test" if missing else ""


def less_hurried(run: Callable[[float], T], slower: Sequence[float]) -> T:
    """Return what ``run`` does, called with a larger factor for as long as its run is refused.

    Links that were late on a busy machine say nothing about what was run over them.
    """
    from real_runner.errors import RunRefusedError

    *others, slowest = slower
    for factor in others:
        with suppress(RunRefusedError):
            return run(factor)
    return run(slowest)
