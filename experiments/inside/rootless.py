"""Becoming root of a user namespace: the same process, user and files, and networks of its own.

Started as ``python -m experiments.inside.rootless COMMAND ARG...``, which becomes the command. A
process with threads cannot enter a user namespace, and whoever has imported numpy has threads, so
`become_root` turns the process into this one first. Its number, its parent and what it gets on a
terminal stay the same: for whoever started it, nothing has happened.
"""

import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_SETTINGS: Final = (
    ("kernel/unprivileged_userns_clone", "1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "0"),
)
"""Settings by which Debian and Ubuntu forbid it, and their values that allow it."""
_TRYING_S = 10.0


def become_root(command: Sequence[str]) -> NoReturn:
    """Become a command that runs as root of a new user namespace; `OSError` where it cannot."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, launcher(command), _environment())  # noqa: S606 - ourselves


def why_not() -> str:
    """Return why this user cannot have a user namespace; nothing where one was had in a trial."""
    return said_by(launcher((sys.executable, "-S", "-c", "")))


def said_by(trial: Sequence[str]) -> str:
    """Return the last line of what a command complains of; nothing where it succeeds."""
    done = subprocess.run(  # noqa: S603 - ourselves
        trial, env=_environment(), capture_output=True, text=True, timeout=_TRYING_S, check=False
    )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason"])[-1]


def remedy() -> str:
    """Return what root is to do, that users may have user namespaces."""
    for name, allowing in _SETTINGS:
        path = Path("/proc/sys", name)
        if path.exists() and path.read_text(encoding="ascii").strip() != allowing:
            return f"as root: sysctl -w {name.replace('/', '.')}={allowing}"
    most = Path("/proc/sys/user/max_user_namespaces")
    if most.exists() and most.read_text(encoding="ascii").strip() == "0":
        return "as root: sysctl -w user.max_user_namespaces=10000"
    return "leave the container or sandbox that forbids them"


def launcher(command: Sequence[str]) -> list[str]:
    """Return a command that becomes ``command`` as root of a user namespace."""
    return [sys.executable, "-P", "-m", "experiments.inside.rootless", *command]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def main(command: Sequence[str]) -> NoReturn:
    """Enter a user namespace whose root is this user, and become the command."""
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER) != 0:
        sys.exit(f"user namespaces: {_reason(ctypes.get_errno())}")
    try:
        for name, text in (
            ("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1"),
        ):  # fmt: skip
            Path("/proc/self", name).write_text(text, encoding="ascii")
        os.execvp(command[0], list(command))  # noqa: S606 - the very command that was asked for
    except OSError as error:
        sys.exit(f"user namespaces: {error.filename or command[0]}: {error.strerror}")


def _reason(number: int) -> str:
    if number == errno.ENOSPC:
        return "no more of them are allowed (user.max_user_namespaces)"
    return os.strerror(number)


if __name__ == "__main__":
    main(sys.argv[1:])
