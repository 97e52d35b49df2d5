"""The guest's keeper: starts it, passes on what it says, and leaves nothing of it.

Started as ``python -m experiments.inside.uml.keeper`` in a session of its own. Standard input
brings the orders in one line, then numbers of signals for the command in the guest, a line each;
when it ends, so has whoever gave the orders, and the guest must end, too. The exit status is the
command's.
"""

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from experiments.inside.uml.guest import COMPLAINT, ORDERS, STATUS
from experiments.inside.uml.orders import Orders
from experiments.inside.uml.warden import Warden

GUEST_FAILED: Final = 125
"""The exit status where the guest, not the command in it, has gone wrong."""
PREFIX: Final = "tessera-uml-"
PATIENCE_S: Final = 20.0
"""How long the command may take to end once it was interrupted."""
_LIBRARY: Final = "library"
"""A link to it in the guest's folder: no list of libraries can name one with a space or a colon."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_CHUNK_BYTES = 1 << 16
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Keep a guest until it has ended; return the exit status of its command."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    orders = Orders.of(sys.stdin.readline())
    with _folder(orders) as folder:
        return Keeper(orders, folder).keep()


class Keeper:
    """One guest; its files are in ``folder``."""

    def __init__(self, orders: Orders, folder: Path) -> None:
        self._folder = folder
        self._ended_with: int | None = None
        self._warden = Warden(folder)
        self._pipes = [os.pipe() for _ in range(3)]
        (out, err, signals) = (self._pipes[0][1], self._pipes[1][1], self._pipes[2][0])
        with (folder / "log").open("wb") as log:
            self._guest = subprocess.Popen(  # noqa: S603 - the kernel that the user chose
                [
                    orders.kernel, f"mem={orders.memory_bytes >> 20}M",
                    f"uml_dir={folder}/", "rootfstype=hostfs", "rw", f"init={folder / 'init'}",
                    "quiet", "con=null", "ssl=null",
                    f"ssl0=null,fd:{out}", f"ssl1=null,fd:{err}", f"ssl2=fd:{signals},null",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(out, err, signals),
                env=_environment(orders, folder), cwd="/",
                process_group=0, preexec_fn=_die_with_keeper,  # noqa: PLW1509 - no threads so far
            )  # fmt: skip
        self._warden.mind(self._guest.pid)
        for end in (out, err, signals):
            os.close(end)

    def keep(self) -> int:
        """Pass on what is said until the guest has ended, and return its command's status."""
        pumps = [
            threading.Thread(target=self._pump, args=(self._pipes[i][0], i + 1)) for i in (0, 1)
        ]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: self._end(128 + number))
        for thread in (*pumps, threading.Thread(target=self._listen, daemon=True)):
            thread.start()
        os.waitid(os.P_PID, self._guest.pid, os.WEXITED | os.WNOWAIT)
        self._kill()
        self._warden.dismiss()
        _bury_all()
        for thread in pumps:
            thread.join()
        return self._status()

    def _pump(self, source: int, target: int) -> None:
        try:
            while chunk := os.read(source, _CHUNK_BYTES):
                while chunk:
                    chunk = chunk[os.write(target, chunk) :]
        except BrokenPipeError:  # nobody listens any more
            self._end(128 + signal.SIGPIPE)

    def _listen(self) -> None:
        for number in sys.stdin:
            with suppress(BrokenPipeError):
                os.write(self._pipes[2][1], number.encode())
            timer = threading.Timer(PATIENCE_S, self._end, (128 + signal.SIGKILL,))
            timer.daemon = True
            timer.start()
        self._end(128 + signal.SIGHUP)

    def _end(self, status: int) -> None:
        """End the guest because nobody wants it any more; the first ``status`` given counts."""
        if self._ended_with is None:
            self._ended_with = status
        self._kill()

    def _kill(self) -> None:
        """End the guest's processes all at once, so that none of them runs on unwatched."""
        with suppress(ProcessLookupError):
            os.killpg(self._guest.pid, signal.SIGKILL)

    def _status(self) -> int:
        if self._ended_with is not None:
            return self._ended_with
        with suppress(FileNotFoundError, ValueError):
            return int((self._folder / STATUS).read_text(encoding="ascii"))
        print(
            f"tessera: User-Mode Linux: the guest ended early: {self._last_words()}",
            file=sys.stderr,
        )
        return GUEST_FAILED

    def _last_words(self) -> str:
        """Return the line that tells most of why the guest has ended."""
        for name in (COMPLAINT, "log"):
            with suppress(FileNotFoundError):
                said = (self._folder / name).read_text(encoding="utf-8", errors="replace")
                if lines := said.strip().splitlines():
                    return next((line for line in lines if "Kernel panic" in line), lines[-1])
        return "it was killed, or said nothing"


@contextmanager
def _folder(orders: Orders) -> Iterator[Path]:
    """Yield a folder, only this user's, with what the guest starts from; remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        (folder / ORDERS).write_text(orders.line(), encoding="utf-8")
        command = (sys.executable, "-P", "-m", "experiments.inside.uml.guest", str(folder))
        init = folder / "init"
        init.write_text(
            f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(orders.paths)}\n"
            f"exec {shlex.join(command)}\n",
            encoding="utf-8",
        )
        init.chmod(0o700)
        if orders.library:
            (folder / _LIBRARY).symlink_to(orders.library)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(orders: Orders, folder: Path) -> dict[str, str]:
    """Return that of the guest's kernel, of which nothing comes into the guest."""
    own = {"HOME": str(folder), "PATH": os.defpath, "TMPDIR": orders.memory}
    return {**own, "LD_PRELOAD": str(folder / _LIBRARY)} if orders.library else own


def _bury_all() -> None:
    """Wait for the guest's processes: those it was the parent of have become ours."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _die_with_keeper() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
