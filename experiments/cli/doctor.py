"""``tessera doctor``: what this machine can do, and what to install for the rest."""

import os
import platform
import resource
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from experiments.cli.options import show
from experiments.inside.means import Examiner, Finding
from real_runner.wakefulness import DEVICE, kept_awake


def doctor() -> None:
    """Say what this machine can do, and what to install for the rest.

    Example: tessera doctor
    """
    examiner = Examiner()
    network = (*_kernel(), *examiner.findings())
    seen = {finding.what for finding in network}
    packages = (finding for finding in _packages() if finding.what not in seen)
    show(
        _table(("what", "found", "remedy"), (*_machine(), *packages, *network)),
        _table(("--links", "here", "what is missing"), _links(examiner)),
    )


def _table(columns: tuple[str, ...], rows: tuple[Finding, ...]) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*map(escape, row))
    return table


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
    with kept_awake() as awake:
        remedy = "" if awake else f"run as root, on a kernel that has {DEVICE}"
        yield Finding("processors kept awake", "allowed" if awake else "not allowed", remedy)


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
    "matplotlib": "plot",
}


def _packages() -> Iterator[Finding]:
    for name, extra in _EXTRAS.items():
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "not installed", f"pip install 'tessera[{extra}]'")


def _kernel() -> Iterator[Finding]:
    controls = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
    has_bbr = controls.exists() and "bbr" in controls.read_text(encoding="ascii").split()
    remedy = "" if has_bbr else "as root: modprobe tcp_bbr; or give links another congestion"
    yield Finding("congestion control bbr", "in the kernel" if has_bbr else "not there", remedy)


def _links(examiner: Examiner) -> tuple[Finding, ...]:
    """Say of each kind of links whether it is usable, here and in a guest."""
    return (
        Finding("loopback", "usable, unshaped"),
        *(_usable(word, examiner.missing(word)) for word in ("userspace", "netem", "mininet")),
        *(
            _usable(f"{word} --inside uml", examiner.missing_in_guest(word))
            for word in ("userspace", "netem", "mininet")
        ),
        Finding("external", "usable, over the real network"),
    )


def _usable(word: str, missing: list[Finding]) -> Finding:
    told = "; ".join(f"{each.what}: {each.remedy}" for each in missing)
    return Finding(word, "not usable" if missing else "usable", told)
