"""However the command that wanted a guest ends, nothing of the guest is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.experiments.inside.conftest import MEMORY, UML

pytestmark = pytest.mark.usefixtures("needs_guests")

LASTING = """
import subprocess, time
subprocess.Popen(["sleep", "1000"], start_new_session=True)
print("ready", flush=True)
try:
    time.sleep(100)
except KeyboardInterrupt:
    print("cleaned up")
    raise SystemExit(130)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(100)
"""


def begin(program: str, folder: Path) -> subprocess.Popen[str]:
    """Start a program in a guest, with the guest's files in ``folder``, and wait until it runs."""
    command = [*UML, *MEMORY, "--", sys.executable, "-c", program]
    guest = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)}
    )
    assert guest.stdout is not None
    assert guest.stdout.readline() == "ready\n"
    return guest


def processes(folder: Path) -> list[int]:
    """Return the processes that are of guests whose files are in ``folder``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if str(folder).encode() in command and b"mem=" in command:
            found.append(int(path.parent.name))
    return found


def is_gone(folder: Path) -> bool:
    """Wait until nothing of a guest is left, for some seconds; return whether that came."""
    for _ in range(100):
        if not processes(folder) and not list(folder.iterdir()):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reaches_the_command_which_may_clean_up(
    number: signal.Signals, tmp_path: Path
) -> None:
    with begin(LASTING, tmp_path) as guest:
        assert processes(tmp_path)
        guest.send_signal(number)
        assert guest.stdout is not None
        assert guest.stdout.read() == "cleaned up\n"
        assert guest.wait(20) == 130
    assert is_gone(tmp_path)


def test_a_kill_ends_the_guest(tmp_path: Path) -> None:
    with begin(LASTING, tmp_path) as guest:
        assert processes(tmp_path)
        guest.kill()
    assert is_gone(tmp_path)


def test_a_command_that_ignores_interrupts_can_still_be_killed(tmp_path: Path) -> None:
    with begin(DEAF, tmp_path) as guest:
        guest.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert processes(tmp_path)
        guest.kill()
    assert is_gone(tmp_path)


def kernel_of(folder: Path) -> int:
    """Return the process that started a guest's others; numbers tell nothing of that."""
    found = processes(folder)
    (first,) = (pid for pid in found if psutil.Process(pid).ppid() not in found)
    return first


def keeper_of(guest: subprocess.Popen[str]) -> psutil.Process:
    (found,) = psutil.Process(guest.pid).children()
    assert "experiments.inside.uml.keeper" in found.cmdline()
    return found


def test_a_keeper_that_is_killed_leaves_nothing_either(tmp_path: Path) -> None:
    with begin(LASTING, tmp_path) as guest:
        assert len(processes(tmp_path)) > 1
        keeper_of(guest).kill()
        assert guest.wait(20) == 128 + signal.SIGKILL
    assert is_gone(tmp_path)


def test_a_keeper_leaves_nothing_either_when_it_is_killed_with_whoever_wanted_the_guest(
    tmp_path: Path,
) -> None:
    with begin(LASTING, tmp_path) as guest:
        keeper = keeper_of(guest)
        guest.kill()
        keeper.kill()
    assert is_gone(tmp_path)


def test_a_guest_that_is_killed_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with begin(LASTING, tmp_path) as guest:
        os.kill(kernel_of(tmp_path), signal.SIGKILL)
        assert guest.wait(20) == 125
    assert is_gone(tmp_path)
