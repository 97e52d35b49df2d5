"""The link process's program."""

from pathlib import Path

from real_runner.compiling import compiled

_SOURCE = Path(__file__).with_name("forwarder.c")


def forwarder() -> Path:
    """Return the compiled link process; `RealRunError` where it cannot be compiled."""
    return compiled(_SOURCE, "-lm", wanted_by="userspace links")
