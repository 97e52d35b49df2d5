"""How much of the processors' time a worker gets: Linux control groups, version 1 or 2.

The groups of a run carry its number, so that whatever is left of a killed one can be found.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from real_runner.errors import RealRunError


def set_quota(pid: int, processors: float, group: str) -> Path:
    """Give process ``pid`` so many processors' worth of time, in a control group of its own.

    Returns the group, to be removed with `remove`. Raises `RealRunError` where that may not be.
    """
    quota_us = round(processors * _PERIOD_US)
    if quota_us < _LEAST_US:
        least = _LEAST_US / _PERIOD_US
        raise RealRunError(f"cpu_quota: {processors:g} processors are too few; give {least:g}")
    for root, settings in ((_V2, _v2(quota_us)), (_V1, _v1(quota_us))):
        if (root / _MARKS[root]).exists():
            try:
                return _enter(root / group, settings, pid)
            except OSError as error:
                raise RealRunError(
                    f"cpu_quota: {root / group}: {error.strerror}; run as root, or leave "
                    "cpu_quota away and name cpus instead"
                ) from error
    raise RealRunError("cpu_quota: no control group for processors is mounted; name cpus instead")


def groups_of(run: str) -> Iterator[Path]:
    """Yield the groups that were made for a run."""
    for root in (_V1, _V2):
        yield from root.glob(f"{group_name(run, '*')}") if root.is_dir() else ()


def group_name(run: str, node: str) -> str:
    """Return the name of a node's group."""
    return f"tessera-{run}-{node}"


def remove(group: Path) -> None:
    """Remove a group whose processes have ended; the kernel may take a moment to notice."""
    for _ in range(_TRIES):
        with suppress(OSError):
            group.rmdir()
        if not group.exists():
            return
        time.sleep(_PAUSE_S)
    raise RealRunError(f"{group}: there are still processes in it; end them")


_TRIES, _PAUSE_S = 100, 0.02
_V1, _V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
_MARKS = {_V1: "cpu.cfs_quota_us", _V2: "cgroup.controllers"}
_PERIOD_US = 10_000
_LEAST_US = 1_000
"""The least that the kernel grants."""


def _v2(quota_us: int) -> dict[str, str]:
    return {"cpu.max": f"{quota_us} {_PERIOD_US}"}


def _v1(quota_us: int) -> dict[str, str]:
    return {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota_us)}


def _enter(folder: Path, settings: dict[str, str], pid: int) -> Path:
    folder.mkdir()
    try:
        for name, value in {**settings, "cgroup.procs": str(pid)}.items():
            (folder / name).write_text(value, encoding="ascii")
    except OSError:
        folder.rmdir()
        raise
    return folder
