"""What many processes make of items is what one makes of them, in the same order."""

import os
import subprocess
import sys

import psutil
import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.laboratory.crew import FEW, by_many


def made(item):
    return item**2, os.getpid()


def test_a_few_items_stay_in_this_process():
    assert list(by_many(made, range(3), 3)) == [
        (0, os.getpid()),
        (1, os.getpid()),
        (4, os.getpid()),
    ]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor")
def test_many_items_are_shared_out_and_come_back_in_order():
    found = list(by_many(made, iter(range(FEW)), FEW))
    assert [square for square, _ in found] == [item**2 for item in range(FEW)]
    assert os.getpid() not in {process for _, process in found}


def test_a_process_that_is_killed_leaves_none_behind():
    program = (
        "import time\nfrom experiments.laboratory.crew import FEW, by_many\n"
        "print(next(by_many(str, range(FEW), FEW)), flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, left = psutil.wait_procs(below, timeout=10)
    assert below
    assert not left


def broken(item):
    raise ValueError(f"item {item}")


def test_an_error_is_that_of_the_work():
    with pytest.raises(ValueError, match="item "):
        list(by_many(broken, range(FEW), FEW))
