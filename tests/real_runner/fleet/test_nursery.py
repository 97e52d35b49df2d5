"""The process that workers are forked from, seen from the orchestrator; and control groups."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from real_runner.errors import RealRunError
from real_runner.fleet import quotas
from real_runner.fleet.nursery import Nursery
from tests.real_runner.programs import groups_there, wait_until

SERVICE = "real_runner.workers.service"


def in_nursery(folder: Path, script, modules=(SERVICE,)):
    """Run ``script(nursery, ended)`` with a nursery; ``ended`` are the news of ends."""

    async def run() -> object:
        ended: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        nursery = Nursery("test", folder / "log", lambda *news: ended.put_nowait(news))
        try:
            await nursery.start(modules)
            return await asyncio.wait_for(script(nursery, ended), 20)
        finally:
            await nursery.stop()

    return asyncio.run(run())


def fork(nursery: Nursery, folder: Path, node: str):
    return nursery.fork(node, (f"unix:{folder / node}.s",), None, folder / f"{node}.log")


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_workers_are_forked_and_their_end_is_told(tmp_path: Path) -> None:
    async def script(nursery, ended):
        first, second = await asyncio.gather(*(fork(nursery, tmp_path, n) for n in "ab"))
        assert psutil.Process(first).ppid() == psutil.Process(second).ppid()
        os.kill(first, signal.SIGKILL)
        assert await ended.get() == ("a", -signal.SIGKILL)
        os.kill(second, signal.SIGTERM)
        assert (await ended.get())[0] == "b"
        again = await fork(nursery, tmp_path, "a")
        assert again != first
        return again

    last = in_nursery(tmp_path, script)
    wait_until(lambda: is_gone(last))


def test_a_worker_that_cannot_serve_says_why_and_ends(tmp_path: Path) -> None:
    async def script(nursery, ended):
        await nursery.fork("a", ("192.0.2.1:1",), None, tmp_path / "a.log")
        return await ended.get()

    assert in_nursery(tmp_path, script) == ("a", 1)
    assert "192.0.2.1:1" in (tmp_path / "a.log").read_text().strip().splitlines()[-1]


def test_a_module_that_cannot_be_imported_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(RealRunError) as refused:
        in_nursery(tmp_path, None, ("no_such_module",))
    assert str(refused.value) == (
        "no worker can be started: ModuleNotFoundError: No module named 'no_such_module'"
    )


def test_a_nursery_that_has_died_starts_nobody_and_takes_its_workers_along(tmp_path: Path) -> None:
    async def script(nursery, _):
        worker = await fork(nursery, tmp_path, "a")
        os.kill(psutil.Process(worker).ppid(), signal.SIGKILL)
        with pytest.raises(RealRunError, match="no worker can be started any more"):
            await fork(nursery, tmp_path, "b")
        return worker

    worker = in_nursery(tmp_path, script)
    wait_until(lambda: is_gone(worker))


def test_a_fork_that_nobody_waits_for_any_more_does_no_harm(tmp_path: Path) -> None:
    async def script(nursery, _):
        forking = asyncio.create_task(fork(nursery, tmp_path, "a"))
        await asyncio.sleep(0)
        forking.cancel()
        return await fork(nursery, tmp_path, "b")

    last = in_nursery(tmp_path, script)
    wait_until(lambda: is_gone(last))


@pytest.fixture
def sleeper():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield process
        process.kill()


def processor_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@pytest.mark.skipif(os.geteuid() != 0, reason="control groups are root's")
def test_a_quota_bounds_the_processors_time_and_is_gone_afterwards(sleeper) -> None:
    group = quotas.set_quota(sleeper.pid, 0.2, quotas.group_name("testrun", "0"))
    assert groups_there("testrun") == [group] == list(quotas.groups_of("testrun"))
    before_s, began_s = processor_s(sleeper.pid), time.monotonic()
    time.sleep(1.5)
    used = (processor_s(sleeper.pid) - before_s) / (time.monotonic() - began_s)
    assert used < 0.3, "of one processor, where it takes a whole one without"
    sleeper.kill()
    sleeper.wait()
    quotas.remove(group)
    assert groups_there("testrun") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="control groups are root's")
def test_a_quota_that_cannot_be_leaves_no_group(sleeper) -> None:
    with pytest.raises(RealRunError, match=r"cpu_quota: 0\.01 processors are too few; give 0\.1"):
        quotas.set_quota(sleeper.pid, 0.01, quotas.group_name("testrun", "0"))
    with pytest.raises(RealRunError, match=r"cpu_quota: .*tessera-testrun-0: .*run as root"):
        quotas.set_quota(1 << 30, 0.5, quotas.group_name("testrun", "0"))
    assert groups_there("testrun") == []
