"""How tests are shared out among processes, where there are several.

Tests that go by the clock wait more than they compute. There are two lines of them, in each of
which one runs after the other; all other tests come after, and give way to what is left of a line.
"""

import os
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

BY_THE_CLOCK: Final = {
    "links": (
        "tests/experiments/inside/test_rootless.py",
        "tests/experiments/test_link_",
        "tests/real_runner/links/",
    ),
    "times": (
        "tests/contracts/",
        "tests/experiments/dilation/",
        "tests/experiments/test_cli_compare.py",
        "tests/experiments/test_cli_dilation.py",
        "tests/experiments/test_cli_real.py",
        "tests/real_runner/fleet/",
        "tests/real_runner/orchestration/",
        "tests/real_runner/test_",
        "tests/real_runner/workers/",
    ),
}
"""The two lines, and where their tests are."""
NICENESS: Final = 10


def line_of(nodeid: str) -> str:
    """Return the line that a test belongs to; nothing where it goes by no clock."""
    return next((line for line, at in BY_THE_CLOCK.items() if nodeid.startswith(at)), "")


def lines_first(items: list[pytest.Item]) -> None:
    """Have the lines handed out before all else, so that each gets a process of its own."""
    ranks = {line: rank for rank, line in enumerate((*BY_THE_CLOCK, ""))}
    items.sort(key=lambda item: ranks[line_of(item.nodeid)])


def give_way(item: pytest.Item) -> None:
    """Let a process go behind those of the lines once it runs other tests."""
    if not line_of(item.nodeid) and os.nice(0) < NICENESS:
        os.nice(NICENESS)


class Lines(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out each line as a whole, and other tests by file."""

    def _split_scope(self, nodeid: str) -> str:
        return line_of(nodeid) or nodeid.partition("::")[0]
