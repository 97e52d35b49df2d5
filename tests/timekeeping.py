"""Whether this machine kept time: a virtual one may be stopped by its host for milliseconds.

Emulated links refuse what was late, and so do their tests; where the host took processors away
meanwhile, such a failure says something of the host and nothing of the code.
"""

from pathlib import Path
from typing import Final

STOLEN: Final = 0.002
"""From this part of its time on a machine keeps no time to a millisecond at the 99th percentile."""
TIMED: Final = (
    "tests/experiments/inside/test_settling.py",
    "tests/experiments/questions/test_link_",
    "tests/experiments/questions/test_token_law.py",
    "tests/real_runner/links/",
)
"""Tests of emulated links; of contracts, only those that are run over such links."""
OVER_LINKS: Final = "real, emulated links"

_STAT: Final = Path("/proc/stat")
_STEAL: Final = 8


def taken() -> tuple[int, int]:
    """Return what the host has taken of all processors so far, and how much time there was."""
    words = _STAT.read_text(encoding="ascii").split("\n", 1)[0].split()
    ticks = [int(word) for word in words[1 : _STEAL + 1]]
    return ticks[-1], sum(ticks)


def excuse(nodeid: str, since: tuple[int, int]) -> str:
    """Return why the failure of a test says nothing, if that is so: time taken by the host."""
    if not nodeid.startswith(TIMED) and OVER_LINKS not in nodeid:
        return ""
    stolen, every = (now - then for now, then in zip(taken(), since, strict=True))
    if stolen <= STOLEN * every:
        return ""
    return (
        f"this machine did not keep time: its host took {stolen / every:.1%} of its processors' "
        "time during this test; run it again where the host is less busy"
    )
