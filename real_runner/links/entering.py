"""Network namespaces of other processes: a process, or a thread alone, goes and lives in one."""

import ctypes
import os
from pathlib import Path

from real_runner.errors import RealRunError

_CLONE_NEWNET = 0x40000000  # linux/sched.h


def enter_namespace(path: Path | str) -> None:
    """Move the calling thread into a network namespace, where its sockets are from now on.

    Raises `RealRunError` where that may not be.
    """
    try:
        namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise RealRunError(
            f"namespace {path}: {error.strerror}; has its link process ended?"
        ) from error
    try:
        _require(ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET), f"setns {path}")
    finally:
        os.close(namespace)


def new_namespace() -> int:
    """Move the calling thread into a fresh network namespace and return a descriptor of it.

    It has no name, so nothing is left of it when the last process and descriptor are gone.
    Raises `RealRunError` where that may not be.
    """
    _require(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET), "unshare")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _require(status: int, what: str) -> None:
    if status != 0:
        reason = os.strerror(ctypes.get_errno())
        raise RealRunError(
            f"{what}: {reason}; run as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN"
        )
