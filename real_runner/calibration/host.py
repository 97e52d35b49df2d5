"""What this machine is called, without asking PyTorch."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def processor() -> str:
    """Return the name of this machine's processor, as the kernel has it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2] for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.machine()).strip()


def torch_version() -> str:
    """Return the version of PyTorch here; empty where there is none."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""
