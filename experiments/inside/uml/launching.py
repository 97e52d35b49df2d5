"""The command's side of a guest: what it gets of this machine, and when it is to end."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from experiments.inside.uml.kernel import find_kernel
from experiments.inside.uml.orders import Orders
from real_runner.errors import RealRunError
from real_runner.wakefulness import kept_awake

LEAST_BYTES: Final = 2 << 30
"""What a guest gets where this machine has it: enough for PyTorch in a few processes."""
_SHARE: Final = 0.5


def run_in_guest(
    command: Sequence[str],
    *,
    memory_bytes: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a command in a guest, in this folder, and return its exit status.

    What it prints comes out here at once; it has no standard input. An interrupt is passed on to
    it. ``memory_bytes`` is half of what is free if it is not given, at least `LEAST_BYTES`;
    ``environment`` is this process's. Raises `RealRunError` where there can be no guest.
    """
    orders = _orders(command, memory_bytes, os.environ if environment is None else environment)
    with kept_awake(), subprocess.Popen(
        [sys.executable, "-P", "-m", "experiments.inside.uml.keeper"],
        stdin=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": orders.paths},
    ) as keeper:  # fmt: skip
        assert keeper.stdin is not None  # noqa: S101 - a pipe
        keeper.stdin.write(orders.line() + "\n")
        keeper.stdin.flush()
        while True:
            try:
                status = keeper.wait()
                return status if status >= 0 else 128 - status
            except KeyboardInterrupt:
                keeper.stdin.write(f"{signal.SIGINT:d}\n")
                keeper.stdin.flush()


def _orders(
    command: Sequence[str], memory_bytes: int | None, environment: Mapping[str, str]
) -> Orders:
    kernel = find_kernel()
    places = [each for each in _memory_places() if _may_hold_programs(each)]
    wanted_bytes = _share_bytes(places) if memory_bytes is None else memory_bytes
    place = _with_room(places, wanted_bytes)
    return Orders(
        command=tuple(command),
        folder=str(Path.cwd()),
        environment=dict(environment),
        kernel=str(kernel.program),
        modules=str(kernel.modules),
        library=str(kernel.library or ""),
        memory_bytes=wanted_bytes,
        memory=str(place),
        terminals=(_terminal(1), _terminal(2)),
        paths=os.pathsep.join(path for path in sys.path if path),
    )


def _available_bytes() -> int:
    rows = dict(
        line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines()
    )
    return int(rows["MemAvailable"].split()[0]) << 10


def _memory_places() -> tuple[Path, ...]:
    """Return where the guest's memory can lie, which is a file: the faster place first."""
    return (Path("/dev/shm"), Path(tempfile.gettempdir()))  # noqa: S108 - shared memory


def _share_bytes(places: Sequence[Path]) -> int:
    """Return the guest's share of what is free, in memory and where its memory can lie."""
    room_bytes = max((shutil.disk_usage(each).free for each in places), default=0)
    return max(LEAST_BYTES, int(_SHARE * min(_available_bytes(), room_bytes)))


def _with_room(places: Sequence[Path], wanted_bytes: int) -> Path:
    for place in places:
        if shutil.disk_usage(place).free >= wanted_bytes:
            return place
    there = ", ".join(f"{shutil.disk_usage(each).free >> 20} MiB in {each}" for each in places)
    raise RealRunError(
        f"User-Mode Linux: the guest needs {wanted_bytes >> 20} MiB for its memory, and there "
        f"are {there or 'none'}; give less with --memory, or set TMPDIR to a folder with more"
    )


def _may_hold_programs(place: Path) -> bool:
    is_ours = place.is_dir() and os.access(place, os.W_OK)
    return is_ours and not os.statvfs(place).f_flag & os.ST_NOEXEC


def _terminal(descriptor: int) -> tuple[int, int] | None:
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:  # it is none
        return None
    return size.columns, size.lines
