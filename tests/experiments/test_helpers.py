"""Helping processes: one that is killed is told in a line, and what went before is there."""

import os
import signal
import time
import warnings
from pathlib import Path

import pytest

from experiments.helpers import done_by
from real_runner.errors import RealRunError


def ended_once_there_is(sign: Path | None) -> int:
    while sign is not None:
        if sign.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
    return 0


KEPT: list[bytes] = []
TOO_MUCH_BYTES = 350_000_000
"""joblib replaces a process that keeps 300 MB more than after its first item."""


def growing(item: int) -> int:
    KEPT.append(b"x" * TOO_MUCH_BYTES)
    time.sleep(1.1)  # joblib looks how large a process is once a second
    return item


def test_one_process_is_this_one() -> None:
    assert list(done_by(1, lambda _: os.getpid(), range(2))) == [os.getpid()] * 2


@pytest.mark.filterwarnings("ignore")  # joblib's, of the process that is gone
def test_a_helper_that_is_killed_is_told_in_a_line(tmp_path: Path) -> None:
    sign = tmp_path / "the first is here"
    found = done_by(2, ended_once_there_is, [None, sign], return_as="generator", batch_size=1)
    assert next(found) == 0
    sign.touch()
    with pytest.raises(RealRunError, match="was killed, perhaps for want of memory; what is done"):
        list(found)
    again = done_by(2, abs, range(4), return_as="generator_unordered")
    assert sorted(again) == [0, 1, 2, 3]  # others take its place


def test_a_helper_that_has_grown_is_replaced_and_nothing_is_said_of_it() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert list(done_by(2, growing, range(8), batch_size=1)) == list(range(8))
    assert [str(each.message) for each in said] == []
