"""What links need of this machine: each found out by trying, and what to do where it is missing.

Needs no package beyond the core, so that it can say which are missing.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, NamedTuple

from experiments.inside.rootless import launcher, remedy, said_by, why_not
from experiments.inside.uml.kernel import find_kernel
from real_runner.errors import RealRunError

TUN: Final = Path("/dev/net/tun")


class Finding(NamedTuple):
    """One thing looked for and what was ``found``; ``remedy`` is empty where nothing is missing."""

    what: str
    found: str
    remedy: str = ""


Examination = Callable[[], Finding]


def links_package() -> Finding:
    """Say whether Python can command the kernel's network."""
    return _package("pyroute2", "real")


def own_networks() -> Finding:
    """Say whether this user may make networks: as root, or as root of a user namespace."""
    is_root = os.geteuid() == 0
    reason = _try_out("network")
    if not reason:
        return Finding("network namespaces", "as root" if is_root else "in user namespaces")
    words = "run with the capability SYS_ADMIN" if is_root else remedy()
    return Finding("network namespaces", reason, f"{words}; or without: --inside uml")


def user_namespaces() -> Finding:
    """Say whether a user namespace can be had, by having one."""
    reason = why_not()
    return Finding("user namespaces", reason or "one was had", remedy() if reason else "")


def tun() -> Finding:
    """Say whether TUN devices can be made: the device that makes them is opened."""
    try:
        os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
    except PermissionError as error:
        words = f"as root: chmod 0666 {TUN}; or without root: --inside uml"
        return Finding("TUN devices", f"{TUN}: {error.strerror}", words)
    except OSError as error:
        words = "as root: modprobe tun; or without root: --inside uml"
        return Finding("TUN devices", f"{TUN}: {error.strerror}", words)
    return Finding("TUN devices", "usable")


def compiler() -> Finding:
    """Say whether the link process can be compiled."""
    return _program("C compiler", "cc", "gcc libc6-dev")


def netem() -> Finding:
    """Say whether the kernel has netem, by asking it for one in a network of our own."""
    reason = _try_out("netem")
    words = "as root: modprobe sch_netem; or on any kernel: --inside uml" if reason else ""
    return Finding("netem in the kernel", reason or "one was had", words)


def mnexec() -> Finding:
    """Say whether Mininet's program is there."""
    return _program("Mininet's program", "mnexec", "mininet")


def bridges() -> Finding:
    """Say whether Mininet's Linux switches have the program they need."""
    return _program("bridge program", "brctl", "bridge-utils")


def ifconfig() -> Finding:
    """Say whether Mininet has the program with which it sets up its hosts' devices."""
    return _program("ifconfig program", "ifconfig", "net-tools")


def shaper() -> Finding:
    """Say whether something can shape Mininet's links: the kernel, else our link process."""
    by_kernel, *ours = netem(), tun(), compiler()
    missing = [each for each in ours if each.remedy]
    if not by_kernel.remedy or not missing:
        return Finding("shaper", "userspace" if by_kernel.remedy else "netem")
    return Finding("shaper", "neither netem nor userspace links", by_kernel.remedy)


def mininet_package() -> Finding:
    """Say whether Mininet's Python package is there."""
    return _package("mininet", "real")


def user_mode_linux() -> Finding:
    """Say whether a guest kernel is there, with its modules."""
    try:
        kernel = find_kernel()
    except RealRunError as error:
        what, _, words = str(error).partition("; ")
        return Finding("User-Mode Linux", what, words)
    return Finding("User-Mode Linux", f"{kernel.program}, kernel {kernel.modules.name}")


NEEDS: Final[Mapping[str, tuple[Examination, ...]]] = {
    "userspace": (links_package, own_networks, tun, compiler),
    "netem": (links_package, own_networks, netem),
    "mininet": (
        links_package, mininet_package, own_networks, mnexec, bridges, ifconfig, shaper,
    ),
}  # fmt: skip
"""What each kind of emulated links needs of the machine on which it runs."""

_IN_GUEST: Final[Mapping[str, tuple[Examination, ...]]] = {
    "userspace": (user_mode_linux, links_package, compiler),
    "netem": (user_mode_linux, links_package),
    "mininet": (user_mode_linux, links_package, mininet_package, mnexec, bridges, ifconfig),
}


class Examiner:
    """Examines each thing once."""

    def __init__(self) -> None:
        self._find: Callable[[Examination], Finding] = cache(lambda examine: examine())

    def missing(self, links: str) -> list[Finding]:
        """Return what is missing here for a kind of emulated links."""
        return [each for each in map(self._find, NEEDS[links]) if each.remedy]

    def missing_in_guest(self, links: str) -> list[Finding]:
        """Return what is missing for them with ``--inside uml``."""
        return [each for each in map(self._find, _IN_GUEST[links]) if each.remedy]

    def findings(self) -> Iterator[Finding]:
        """Yield what each thing that some links need was found to be."""
        wanted = (
            *(each for kind in NEEDS.values() for each in kind),
            user_namespaces,
            user_mode_linux,
        )
        return map(self._find, dict.fromkeys(wanted))


def _try_out(wanted: str) -> str:
    """Return what a trial in a process of its own says; in a user namespace unless we are root."""
    trial = [sys.executable, "-P", "-m", "experiments.inside.trial", wanted]
    command = trial if os.geteuid() == 0 else launcher(trial)
    return said_by(command)


def _program(what: str, program: str, package: str) -> Finding:
    path = shutil.which(program)
    return Finding(what, path or f"no {program}", "" if path else f"apt-get install {package}")


def _package(name: str, extra: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "not installed", f"pip install 'tessera[{extra}]'")
