"""Nothing of emulated links outlives them, however they end: no namespace, device or process."""

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from real_runner.errors import RealRunError
from real_runner.links.kinds import emulated_links
from tests.complaints import one_line
from tests.emulating import MININET, why_not
from tests.real_runner.links.conftest import RUN, Emulated, Ends, world
from tests.real_runner.programs import (
    processes_of,
    ran,
    running,
    runs_in,
    settings,
    wait_until,
)
from topologies.topology import Link

SYNTHETIC = "real.default={executor: synthetic}"
ENDLESS = ("run", "small-sam", "--links", "userspace", "--dilation", "4", "--set", SYNTHETIC)
"""Slowed down, since links that are late by a millisecond would refuse it before it is ended."""

ONE_EMULATION = """
import asyncio, sys
from pathlib import Path
from real_runner.links.kinds import emulated_links
from topologies.shipped import load

async def main():
    emulation = emulated_links(*sys.argv[1:3], Path(sys.argv[3]), load("small-sam"))
    try:
        await emulation.start()
        print("there", flush=True)
        await asyncio.sleep(60)
    finally:
        await emulation.stop()

asyncio.run(main())
"""

Seen = tuple[list[str], list[str], set[str]]


@pytest.fixture(autouse=True)
def _may_emulate() -> None:
    if reason := why_not():
        pytest.skip(reason)


def seen(run: str) -> Seen:
    """Return what ``ip netns`` and ``ip link`` say, and the processes of a run."""
    said = [
        subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout  # noqa: S607
        for words in (("netns",), ("-br", "link"))
    ]
    return said[0].splitlines(), said[1].splitlines(), {str(p) for p in processes_of(run)}


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "takes_s", "interruptions"), [("userspace", 0.7, 20), ("mininet", 1.7, 8)]
)
def test_interruptions_at_random_moments_leave_nothing(
    tmp_path: Path, kind: str, takes_s: float, interruptions: int
) -> None:
    if reason := why_not(*MININET):
        pytest.skip(reason)
    run, moments = "interrupt", np.random.default_rng(20261121)
    before = seen(run)
    for number in range(interruptions):
        how = (signal.SIGINT, signal.SIGKILL)[number % 2]
        command = (sys.executable, "-c", ONE_EMULATION, kind, run, str(tmp_path))
        with running(temporary=tmp_path, errors=tmp_path / "log", command=command) as program:
            time.sleep(0.3 + moments.uniform(0.0, takes_s))
            program.send_signal(how)
            program.wait(15)
        wait_until(lambda: seen(run) == before, 5.0)


def test_two_at_once_do_not_touch_each_other(emulated: Emulated[Any]) -> None:
    slow, fast = (world(Link("a", "b", rate, 0.010)) for rate in (2e6, 20e6))

    async def look(ends: Ends) -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as folder:
            other = Ends(emulated_links("userspace", "other", Path(folder), fast))
            await other.emulation.start()
            try:
                said = await asyncio.gather(
                    ends.iperf("a", "b", "-t", "2", "-O", "1"),
                    other.iperf("a", "b", "-t", "2", "-O", "1"),
                )
            finally:
                await other.emulation.stop()
        assert await ends.ping_ms("a", "b", 3)  # the other one is gone, this one is not
        return tuple(each["sum_received"]["bits_per_second"] for each in said)

    rates = emulated(slow, look)
    assert rates == (
        pytest.approx(2e6 * 1448 / 1514, rel=0.05),
        pytest.approx(20e6 * 1448 / 1514, rel=0.05),
    )


def test_an_emulation_whose_process_is_killed_says_so(emulated: Emulated[Any]) -> None:
    async def look(ends: Ends) -> None:
        (process,) = processes_of(RUN)
        process.kill()
        with pytest.raises(RealRunError, match="userspace links"):
            await ends.emulation.report()

    emulated(world(Link("a", "b", 1e6, 0.001)), look)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_a_run_that_is_ended_leaves_nothing_but_what_clean_removes(number: signal.Signals) -> None:
    before = seen("none")[:2]
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as folder:
        temporary = Path(folder)
        arguments = (*ENDLESS, *settings(workload__requests="100000"))
        with running(*arguments, temporary=temporary, errors=temporary / "errors") as program:
            wait_until(lambda: len(runs_in(temporary)) == 1)
            (run,) = runs_in(temporary)
            wait_until(lambda: len(processes_of(run)) == 7)  # links, nursery, five workers
            program.send_signal(number)
            program.wait(20)
        wait_until(lambda: not processes_of(run), 5.0)
        if number == signal.SIGINT:
            one_line((temporary / "errors").read_text(), "interrupted")
        else:
            assert run in ran("clean", temporary=temporary).stdout
        assert runs_in(temporary) == []
        assert seen(run)[:2] == before


def test_the_link_process_is_found_by_the_number_of_its_run(emulated: Emulated[Any]) -> None:
    async def look(ends: Ends) -> list[psutil.Process]:
        del ends
        return processes_of(RUN)

    assert len(emulated(world(Link("a", "b", 1e6, 0.001)), look)) == 1
    assert processes_of(RUN) == []
