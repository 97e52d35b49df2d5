"""The program itself in processes of its own, with a folder for temporary files of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

PROGRAM = (sys.executable, "-c", "from experiments.cli import main; main()")
TOLD_WITHIN_S = 60.0


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a user whose temporary files lie in ``folder``."""
    return {**os.environ, "TMPDIR": str(folder)}


@contextmanager
def running(
    *arguments: str, temporary: Path, errors: Path | None = None, command: tuple[str, ...] = PROGRAM
) -> Iterator[subprocess.Popen[str]]:
    """Run a program while the block lasts; it is killed where it has not ended by then."""
    with (
        (errors or Path(os.devnull)).open("w") as log,
        subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.PIPE, stderr=log, text=True,
            env=environment(temporary), cwd=temporary,
        ) as program,
    ):  # fmt: skip
        try:
            yield program
        finally:
            signal_own(program, signal.SIGKILL)


def signal_own(program: subprocess.Popen[str], number: int) -> None:
    if program.poll() is None:
        program.send_signal(number)


def ran(*arguments: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True, text=True, check=False, timeout=TOLD_WITHIN_S,
        env=environment(temporary), cwd=temporary,
    )  # fmt: skip


def runs_in(temporary: Path) -> list[str]:
    """Return the numbers of the runs that have a folder there."""
    return sorted(path.name for path in temporary.glob("tessera-*/*"))


def processes_of(run: str) -> list[psutil.Process]:
    """Return what runs for a run: its nursery and its workers."""
    found = psutil.process_iter(["cmdline", "status"])
    return [
        process
        for process in found
        if f"--run={run}" in (process.info["cmdline"] or ())
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def groups_there(run: str) -> list[Path]:
    """Return the control groups that belong to a run."""
    return [path for root in _ROOTS for path in root.glob(f"tessera-{run}-*")]


_ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))


def wait_until(condition: Callable[[], bool], within_s: float = TOLD_WITHIN_S) -> None:
    """Return once ``condition`` holds; a test fails that waits in vain."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "nothing came of it"
        time.sleep(0.05)


def only_run(temporary: Path, workers: int) -> str:
    """Return the one run under way there, once all of its workers are."""
    wait_until(lambda: len(runs_in(temporary)) == 1)
    (run,) = runs_in(temporary)
    wait_until(lambda: len(processes_of(run)) == workers + 1)
    return run


SETTINGS: Mapping[str, str] = {
    "workload.image": "{width_px: 120, height_px: 90, encoding: png}",
    "workload.requests": "2",
    "warm_up": "0",
    "replications": "1",
}


def settings(**changes: str) -> list[str]:
    """Return ``--set`` options for a small scenario; a dot in a name is written as two lines."""
    chosen = SETTINGS | {name.replace("__", "."): value for name, value in changes.items()}
    return [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
