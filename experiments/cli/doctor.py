"""``tessera doctor``: what this machine can do, and what to install for the rest."""

import os
import platform
import resource
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from experiments.cli.options import show


class Finding(NamedTuple):
    """One line of the diagnosis; ``remedy`` is empty where nothing is missing."""

    what: str
    found: str
    remedy: str = ""


def doctor() -> None:
    """Say what this machine can do, and what to install for the rest.

    Example: tessera doctor
    """
    table = Table()
    for name in ("what", "found", "remedy"):
        table.add_column(name)
    for finding in (*_machine(), *_packages(), *_network()):
        table.add_row(*finding)
    show(table)


def _machine() -> Iterator[Finding]:
    yield Finding("Python", platform.python_version())
    yield Finding("kernel", f"{platform.system()} {platform.release()}")
    yield Finding("processors", str(len(os.sched_getaffinity(0))))
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding("memory", f"{memory_bytes / 2**30:.1f} GiB")
    driver = Path("/proc/driver/nvidia/version")
    yield Finding("NVIDIA GPU", "driver loaded" if driver.exists() else "none")
    groups = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")]
    may_limit = any(os.access(group, os.W_OK) for group in groups)
    yield Finding(
        "processor quotas (cpu_quota)",
        "control groups are writable" if may_limit else "not allowed",
        "" if may_limit else "run as root, or bind workers with cpus instead",
    )
    _, hard = resource.getrlimit(resource.RLIMIT_RTPRIO)
    allowed = os.geteuid() == 0 or hard > 0
    remedy = "" if allowed else "run as root, or raise rtprio in /etc/security/limits.conf"
    yield Finding("real-time priority", "allowed" if allowed else "not allowed", remedy)


_EXTRAS = {
    "simpy": "",
    "torch": "real",
    "torchvision": "real",
    "segment-anything": "real",
    "safetensors": "real",
    "grpcio": "real",
    "grpcio-tools": "real",
    "grpcio-health-checking": "real",
    "cryptography": "real",
    "psutil": "real",
    "pyroute2": "real",
    "matplotlib": "plot",
}


def _packages() -> Iterator[Finding]:
    for name, extra in _EXTRAS.items():
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "not installed", f"pip install 'tessera\\[{extra}]'")


def _network() -> Iterator[Finding]:
    tun = os.access("/dev/net/tun", os.R_OK | os.W_OK)
    yield Finding(
        "TUN devices", "usable" if tun else "not usable", "" if tun else "modprobe tun, as root"
    )
    spaces = Path("/proc/self/ns/net").exists()
    yield Finding("network namespaces", "in the kernel" if spaces else "not in the kernel")
    controls = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
    has_bbr = controls.exists() and "bbr" in controls.read_text(encoding="ascii").split()
    remedy = "" if has_bbr else "modprobe tcp_bbr, as root"
    yield Finding("congestion control bbr", "in the kernel" if has_bbr else "not there", remedy)
    for what, program, package in (
        ("C compiler (for userspace links)", "cc", "gcc libc6-dev"),
        ("Mininet", "mnexec", "mininet"),
        ("User-Mode Linux", "linux.uml", "user-mode-linux"),
    ):
        path = shutil.which(program)
        yield Finding(what, path or "not installed", "" if path else f"apt-get install {package}")
