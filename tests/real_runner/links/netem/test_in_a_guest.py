"""Where this kernel has no netem, its tests run in a guest whose kernel has."""

import subprocess
import sys
from pathlib import Path

import pytest

from real_runner.errors import RealRunError
from real_runner.links.netem.disciplines import has_netem
from real_runner.links.probing import in_namespace
from tests.emulating import why_not
from tests.real_runner.links.conftest import emulated_by, world
from topologies.topology import Link

ROOT = Path(__file__).parents[4]
WITHIN_S = 500.0
INSIDE = (sys.executable, "-m", "experiments.inside.uml", "--")
"""What runs a program in a User-Mode Linux guest, on this machine's files."""


@pytest.fixture(autouse=True)
def _has_no_netem() -> None:
    if reason := why_not("linux"):
        pytest.skip(reason)
    if in_namespace("/proc/self/ns/net", has_netem):
        pytest.skip("this kernel has netem: these tests have just run")


def test_without_netem_a_line_says_what_to_do() -> None:
    async def look(ends: object) -> None:
        raise AssertionError(f"there is no netem, and yet {ends}")

    with pytest.raises(
        RealRunError, match=r"no netem; modprobe sch_netem, .* --inside uml"
    ) as told:
        emulated_by("netem")(world(Link("a", "b", 1e6, 0.001)), look)
    assert "\n" not in str(told.value)


@pytest.mark.long
@pytest.mark.parametrize("tests", ["netem/test_netem.py", "mininet/test_mininet.py"])
def test_all_holds_in_a_guest_that_has_netem(tests: str) -> None:
    path = Path(__file__).parents[1] / tests
    quietly = ("-q", "-x", "-p", "no:cacheprovider", "--durations=0", "-rs", "-m", "not long")
    command = [*INSIDE, sys.executable, "-B", "-m", "pytest", *quietly, str(path)]
    for _ in range(3):  # a guest is an ordinary process: what this machine does meanwhile shows
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=WITHIN_S, cwd=ROOT
        )
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert " skipped" not in done.stdout, done.stdout
