"""The process of Mininet links: has Mininet run where it can leave nothing behind, and waits.

Started as ``python -m real_runner.links.mininet.process --run=RUN FOLDER PROGRAM``. Its child is
the first process of a PID namespace, in a network and a mount namespace of their own: whatever
Mininet starts, mounts or makes ends with that child, which the kernel ends with this process, and
this one with its parent.
"""

import ctypes
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Final

from real_runner.errors import RealRunError
from real_runner.workers.confinement import die_with_parent

_CLONE_NEWNS, _CLONE_NEWPID, _CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000  # linux/sched.h
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000  # linux/mount.h
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc: Final = ctypes.CDLL(None, use_errno=True)


def main(run: str, folder: Path, program: str) -> int:
    """Start the first process of new namespaces, and return its exit status."""
    die_with_parent(os.getppid())
    _require(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET), "unshare")
    alive, held = os.pipe()  # its other end is closed once this process is no more
    child = os.fork()
    if child == 0:
        os.close(held)
        os._exit(_begin(alive, run, folder, program))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _begin(alive: int, run: str, folder: Path, program: str) -> int:
    """Make the namespaces a place to live in, and Mininet its network; return the exit status."""
    try:
        _require(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")
        if select.select([alive], [], [], 0)[0]:  # it ended before the kernel was told
            return 1
        from real_runner.links.mininet.holding import hold  # noqa: PLC0415 - slow: Mininet

        number_outside = int(Path("/proc/self").readlink().name)
        _require(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "mount /")
        _require(_libc.mount(b"proc", b"/proc", b"proc", 0, None), "mount /proc")
        return hold(run, folder, program, number_outside)
    except RealRunError as error:
        print(error, file=sys.stderr)
    except Exception:  # noqa: BLE001 - whatever Mininet raises has to be read by somebody
        traceback.print_exc()
    return 1


def _require(status: int, what: str) -> None:
    if status != 0:
        reason = os.strerror(ctypes.get_errno())
        raise RealRunError(f"{what}: {reason}; run as root, or with --inside uml")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1].removeprefix("--run="), Path(sys.argv[2]), sys.argv[3]))
    except RealRunError as error:
        sys.exit(str(error))
