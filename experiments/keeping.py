"""Folders that are one process's at a time, and files that are whole or not there."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real_runner.errors import RealRunError


class Held:
    """A folder, made if need be, that is this process's until it is closed or the process ends.

    Then the kernel lets go of it, too. Raises `RealRunError` where it cannot be made, or is held by
    another.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RealRunError(f"{folder}: cannot be made ({error}); give another") from error
        self._descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            reason = f"{folder}: another process is at work here; give another folder, or wait"
            raise RealRunError(reason) from error

    def close(self) -> None:
        """Let another have it."""
        os.close(self._descriptor)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Lend a path to write to; what is written there takes the place of ``path`` at once.

    Raises `RealRunError` where there is no room.
    """
    part = path.with_name(f"{path.name}{PART}")
    try:
        yield part
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch's own says so of a full disk
        raise RealRunError(f"{path}: cannot be written ({error}); make room there") from error
    finally:
        part.unlink(missing_ok=True)


PART = ".part"
"""What a file's name ends with while it is written; a process that was killed leaves one, which the
next one that writes the file takes over."""
