"""Register states that are larger than the guest's kernel knows of."""

from pathlib import Path
from typing import Final

from real_runner.compiling import compiled

_SOURCE: Final = Path(__file__).with_name("whole_states.c")
_PROCESSORS: Final = Path("/proc/cpuinfo")
_LARGE: Final = "amx_tile"
"""What processors have, from Intel's of 2023 on, whose states are (see the source)."""


def needed_library() -> Path | None:
    """Return what is to be loaded into the guest's kernel before the C library; None: nothing.

    Without it no program starts in a guest on such a processor. Raises `RealRunError` where it
    cannot be compiled.
    """
    words = _PROCESSORS.read_text(encoding="utf-8", errors="replace").split()
    return library() if _LARGE in words else None


def library() -> Path:
    """Return the compiled library; `RealRunError` where it cannot be compiled."""
    return compiled(_SOURCE, "-shared", "-fPIC", "-ldl", wanted_by="User-Mode Linux")
