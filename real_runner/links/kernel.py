"""What kernel this is, where that makes a difference to links."""

from pathlib import Path


def is_guest() -> bool:
    """Return whether this kernel is itself a program among others, as a User-Mode Linux is."""
    return "User Mode Linux" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
