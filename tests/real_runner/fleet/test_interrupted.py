"""What a run leaves behind when it is killed, interrupted, or told to end: nothing."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from real_runner.fleet.folder import RunFolder, leftovers
from tests.complaints import one_line
from tests.real_runner.programs import (
    groups_there,
    only_run,
    processes_of,
    ran,
    running,
    runs_in,
    settings,
    wait_until,
)

SYNTHETIC = "real.default={executor: synthetic}"
ENDLESS = ("run", "small-sam", *settings(workload__requests="100000"), "--set", SYNTHETIC)
WORKERS = 5
GONE_WITHIN_S = 5.0


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for temporary files whose name is short enough for sockets."""
    return tmp_path_factory.mktemp("t")


def is_root() -> bool:
    return os.geteuid() == 0


def test_no_worker_outlives_a_killed_program_and_clean_removes_the_rest(temporary: Path) -> None:
    quota = ("--set", "real.default.cpu_quota=0.5") if is_root() else ()
    with (
        running(*ENDLESS, *quota, "--out", "results", temporary=temporary) as killed,
        running(*ENDLESS, temporary=temporary) as other,
    ):
        wait_until(lambda: len(runs_in(temporary)) == 2)
        for run in runs_in(temporary):
            wait_until(lambda run=run: len(processes_of(run)) == WORKERS + 1)
        (dead,) = [run for run in runs_in(temporary) if owner(run) == killed.pid]
        (alive,) = [run for run in runs_in(temporary) if run != dead]
        if is_root():
            wait_until(lambda: len(groups_there(dead)) == WORKERS)
        killed.kill()
        killed.wait()
        wait_until(lambda: not processes_of(dead), GONE_WITHIN_S)
        assert runs_in(temporary) == sorted([dead, alive])
        assert len(list(temporary.glob(".results.*.partial"))) == 1

        cleaned = ran("clean", temporary=temporary)
        assert cleaned.returncode == 0
        assert dead in cleaned.stdout
        assert alive not in cleaned.stdout
        assert runs_in(temporary) == [alive]
        assert not groups_there(dead)
        assert not list(temporary.glob(".*.partial"))
        assert len(processes_of(alive)) == WORKERS + 1
        assert other.poll() is None
        assert ran("clean", temporary=temporary).stdout == "nothing to clean\n"


def owner(run: str) -> int:
    """Return the process whose child the nursery of a run is."""
    nursery = min(processes_of(run), key=psutil.Process.create_time)
    return nursery.ppid()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("begun", [True, False], ids=["under way", "starting"])
def test_an_interrupted_run_says_so_in_one_line_and_leaves_nothing(
    temporary: Path, number: signal.Signals, begun: bool
) -> None:
    errors = temporary / "errors"
    arguments = (*ENDLESS, "--out", "results/mine")
    with running(*arguments, temporary=temporary, errors=errors) as program:
        if begun:
            run = only_run(temporary, WORKERS)
            time.sleep(0.5)
        else:
            wait_until(
                lambda: bool(runs_in(temporary)) and bool(processes_of(runs_in(temporary)[0]))
            )
            (run,) = runs_in(temporary)
        program.send_signal(number)
        assert program.wait(15) == 130
    assert not processes_of(run)
    one_line(errors.read_text(), "interrupted")
    assert runs_in(temporary) == []
    assert not (temporary / "results").exists()


def test_a_folder_that_is_only_being_made_is_no_leftover(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with RunFolder() as folder:
        assert list(leftovers()) == []
        (folder.path / "owner.json").unlink()
        assert list(leftovers()) == []
        old_s = time.time() - 3600
        os.utime(folder.path, (old_s, old_s))
        (left,) = leftovers()
        assert (left.path, left.processes) == (folder.path, ())
        left.remove()
        assert not folder.path.exists()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pid": 1, "started": "-1"}'])
def test_a_folder_whose_owner_cannot_be_is_a_leftover(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with RunFolder() as folder:
        (folder.path / "owner.json").write_text(content)
        assert [left.path for left in leftovers()] == [folder.path]


def test_a_folder_is_nobody_elses_business(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with RunFolder() as folder:
        assert folder.path.stat().st_mode & 0o077 == 0
        assert folder.path.parent.stat().st_mode & 0o077 == 0
