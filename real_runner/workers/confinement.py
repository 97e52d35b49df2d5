"""What a worker may use of its machine, and how long it may live."""

import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path

from real_runner.deployment import NodeSpec
from real_runner.errors import RealRunError

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that forked it ends.

    Raises `RealRunError` where the kernel knows no such thing.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise RealRunError(f"prctl: {os.strerror(ctypes.get_errno())}; workers need Linux")
    if os.getppid() != parent:  # it ended before the kernel was told
        os._exit(1)


def confine(spec: NodeSpec, name: str, processors: set[int]) -> None:
    """Bind every thread of this process to those of its ``processors`` that ``spec`` allows.

    Raises `RealRunError` for one that is none of them.
    """
    if not processors.issuperset(spec.cpus):
        there = ", ".join(map(str, sorted(processors)))
        raise RealRunError(
            f"real: node {name!r}: cpus: {list(spec.cpus)}: this machine has {there}"
        )
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread.name), spec.cpus or processors)
