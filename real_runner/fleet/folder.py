"""What a run keeps on disk while it lasts, and what of it a killed one leaves behind.

Every run has a folder of its own below one that belongs to the user, with sockets, logs,
credentials and weights, and the number of the process that made it. Nobody else can read it.
"""

import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from real_runner.errors import RealRunError
from real_runner.fleet.quotas import groups_of, remove

_OWNER = "owner.json"
_SIGNING_S = 60.0


def root() -> Path:
    """Return the folder with the folders of all runs of this user."""
    return Path(tempfile.gettempdir()) / f"tessera-{_user()}"


class RunFolder:
    """A fresh folder for one run; use it in a ``with`` statement."""

    def __init__(self) -> None:
        self.run = secrets.token_hex(4)
        self.path = root() / self.run

    def __enter__(self) -> Self:
        try:
            root().mkdir(mode=0o700, exist_ok=True)
            if root().stat().st_uid != os.getuid():
                raise RealRunError(f"{root()}: belongs to somebody else; set TMPDIR")
            self.path.mkdir(mode=0o700)
            owner = {"pid": os.getpid(), "started": _started(os.getpid())}
            (self.path / _OWNER).write_text(json.dumps(owner), encoding="utf-8")
        except OSError as error:
            raise RealRunError(f"{self.path}: {error.strerror}; set TMPDIR") from error
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Leftover:
    """The folder of a run whose process is gone, and what still runs for it."""

    path: Path
    processes: tuple[int, ...]

    def remove(self) -> None:
        """End its processes and remove it."""
        for pid in self.processes:
            with suppress(ProcessLookupError):  # it has ended by itself meanwhile
                os.kill(pid, signal.SIGKILL)
        for group in groups_of(self.path.name):
            remove(group)
        shutil.rmtree(self.path)


def leftovers() -> Iterator[Leftover]:
    """Yield what runs left that did not end as they should; none of a run that goes on."""
    if not root().is_dir():
        return
    for path in sorted(root().iterdir()):
        if not _is_alive(path):
            yield Leftover(path, tuple(_processes_of(path.name)))


def _user() -> int:
    """Return the user's number outside the user namespace that we may be in: files are theirs."""
    for row in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines():
        inside, outside, count = map(int, row.split())
        if inside <= os.getuid() < inside + count:
            return outside + os.getuid() - inside
    return os.getuid()


def _is_alive(path: Path) -> bool:
    try:
        owner = json.loads((path / _OWNER).read_text(encoding="utf-8"))
        return bool(_started(owner["pid"]) == owner["started"])
    except FileNotFoundError:
        return _is_young(path)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_young(path: Path) -> bool:
    """Whether a folder whose owner is gone, or has not signed yet, was made only just now."""
    signed = (path / _OWNER).exists()
    return not signed and path.exists() and time.time() - path.stat().st_mtime < _SIGNING_S


def _started(pid: int) -> str:
    """Return when a process began, in ticks since the machine did, which no clock change moves.

    Raises `FileNotFoundError` where there is none that lives (see proc_pid_stat(5), field 22).
    """
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    state, *fields = text.rpartition(")")[2].split()
    if state == "Z":
        raise FileNotFoundError(pid)
    return fields[18]


def _processes_of(run: str) -> Iterator[int]:
    """Yield the processes that were started for a run: its number stands in their command."""
    wanted = f"--run={run}".encode()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile, or is nobody's business
            if wanted in command.read_bytes().split(b"\0"):
                yield int(command.parent.name)
