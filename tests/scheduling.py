"""How tests are shared out among processes, where there are several.

Tests that go by the clock run one after the other in one process. They wait more than they
compute, so another one has time for all the rest meanwhile, and gives way.
"""

import os
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

BESIDE: Final = "tests/real_runner/links/netem/test_in_a_guest.py"
"""It waits for a guest, which is not to give way; its tests are run again where they fail."""
_FOLLOWED: Final = "tests/docs/test_pages.py::test_what_a_page_says_to_save_and_to_type"
BY_THE_CLOCK: Final = (
    "tests/contracts/",
    *(
        f"{_FOLLOWED}_works_in_that_order[{page}.md]"
        for page in ("tutorial", "how-to/dilation", "how-to/links")
    ),
    "tests/experiments/dilation/",
    "tests/experiments/inside/test_rootless.py",
    "tests/experiments/test_cli_compare.py",
    "tests/experiments/test_cli_dilation.py",
    "tests/experiments/test_cli_real.py",
    "tests/experiments/questions/test_link_",
    "tests/experiments/questions/test_token_law.py",
    "tests/real_runner/fleet/",
    "tests/real_runner/links/",
    "tests/real_runner/orchestration/",
    "tests/real_runner/test_",
    "tests/real_runner/workers/",
)
NICENESS: Final = 10


def rank_of(nodeid: str) -> int:
    """Return 0 for a test that goes by the clock, 1 for one beside them, 2 for all others."""
    if nodeid.startswith(BESIDE):
        return 1
    return 0 if nodeid.startswith(BY_THE_CLOCK) else 2


def clocked_first(items: list[pytest.Item]) -> None:
    """Have those by the clock handed out first, then those that are not to give way."""
    items.sort(key=lambda item: rank_of(item.nodeid))


def give_way(item: pytest.Item) -> None:
    """Let a process go behind the others once it runs what goes by no clock."""
    if rank_of(item.nodeid) == 2 and os.nice(0) < NICENESS:
        os.nice(NICENESS)


class OneClock(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out all tests by the clock as one, and others by file."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if rank_of(nodeid) else "by the clock"
