"""Whoever outlives the keeper: where that is killed, nothing of its guest is left all the same.

The kernel ends the guest's first process with the keeper, but not the processes in which that runs
the guest's programs: they would stay, stopped for ever. So a process of its own waits on a pipe
whose other end only the keeper has.
"""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

_DISMISSED: Final = "dismissed"


class Warden:
    """A process beside its maker, which must have no threads yet; ``folder`` is the guest's."""

    def __init__(self, folder: Path) -> None:
        heard, self._pipe = os.pipe()
        if os.fork() == 0:
            os.close(self._pipe)
            _stand_by(heard, folder)
        os.close(heard)

    def mind(self, group: int) -> None:
        """Have it end this group of processes once its maker is no more."""
        self._say(str(group))

    def dismiss(self) -> None:
        """Have it end and do nothing: the group has ended."""
        self._say(_DISMISSED)
        os.close(self._pipe)

    def _say(self, word: str) -> None:
        with suppress(BrokenPipeError):  # somebody has killed it
            os.write(self._pipe, f"{word}\n".encode())


def _stand_by(heard: int, folder: Path) -> NoReturn:
    """Wait until there is nobody to speak any more, and do what is to be done."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for descriptor in (0, 1, 2):  # whoever reads what the keeper says must see its end
            os.close(descriptor)
        with os.fdopen(heard, encoding="ascii") as words:
            said = words.read().split()
        if _DISMISSED not in said:
            for group in said:
                with suppress(ProcessLookupError):
                    os.killpg(int(group), signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os._exit(0)
