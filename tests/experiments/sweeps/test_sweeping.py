"""Sweeps: the same rows wherever they are simulated, and nothing finished is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import psutil
import pytest

from experiments.cli.main import status_of
from experiments.parts import Parts
from experiments.sequential import LEAST
from experiments.sweeps.sweeping import Sweep
from real_runner.fleet.folder import root as folders
from tests.limits import no_file_above

POLICY = "sharded/deferred:clouds={clouds}"
FEW = ("replications=2", "workload.requests=40", "warm_up=10")
ASKED = [
    "sweep", "jetson-16-clouds", "--policy", POLICY, "--policy", "local", "--axis", "clouds=1,4,17",
    "--axis", "view_age=0s,100ms", *(word for each in FEW for word in ("--set", each)),
]  # fmt: skip
PROGRAM = (sys.executable, "-c", "from experiments.cli import main; main()")


def swept(engine: str, workers: int) -> pd.DataFrame:
    sweep = Sweep.of(
        "jetson-16-clouds", [POLICY, "local"], ["clouds=1,4,17", "view_age=0s,100ms"], FEW
    )
    with Parts(None, sweep.about()) as parts:
        return sweep.run(parts, engine, workers)


@pytest.fixture(scope="module")
def alone() -> pd.DataFrame:
    return swept("local", 1)


def test_cells_have_their_places_figures_and_intervals(alone: pd.DataFrame) -> None:
    assert alone["cell"].tolist() == list(range(8))
    assert alone["clouds"].tolist() == ["1", "1", "4", "4", "17", "17", "", ""]
    done = alone[alone["error"] == ""]
    assert len(done) == 6
    assert (done["p99_s"] >= done["p50_s"]).all()
    assert (done["p50_s_low"] <= done["p50_s"]).all()
    assert done[done["policy"] == "local"]["pixels"].tolist() == [0.0, 0.0]


def test_a_cell_that_fails_says_why_and_the_rest_goes_on(alone: pd.DataFrame) -> None:
    failed = alone[alone["error"] != ""]
    assert failed["clouds"].tolist() == ["17", "17"]
    assert failed["error"].str.contains("PolicyError: clouds: 17 wanted, but topology").all()


def test_where_all_fail_the_status_says_so_and_saturation_is_no_latency(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = [word for each in FEW for word in ("--set", each)]
    few = ["sweep", "jetson-16-clouds", "--workers", "1", *settings]
    assert status_of([*few, "--policy", "sharded/exact:clouds=17"]) == 1
    said = capsys.readouterr().out
    assert "0 of 1 cells simulated" in said
    assert "17 wanted" in said
    crowded = ["--policy", "sharded/shares", "--set", "workload.arrivals.rate_per_s=9.0"]
    assert status_of([*few, *crowded]) == 0
    assert "saturated" in capsys.readouterr().out


def test_more_processes_find_the_same(alone: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(swept("local", 2), alone)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.skipif(not find_spec("ray"), reason="pip install 'tessera[cluster]'")
def test_a_cluster_finds_the_same(alone: pd.DataFrame) -> None:
    before = owned()
    pd.testing.assert_frame_equal(swept("ray", 2), alone)
    assert owned() == before


def owned() -> set[str]:
    """Return the folders of runs that are this process's: another test's runner may have one."""
    owners = {path.parent.name: json.loads(path.read_text())
              for path in folders().glob("*/owner.json")}  # fmt: skip
    return {name for name, owner in owners.items() if owner["pid"] == os.getpid()}


def test_results_are_kept_and_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    assert status_of([*ASKED, "--out", str(out), "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert f"6 of 8 cells simulated, in {out}" in said
    assert "failed: policy=sharded/deferred:clouds=17" in said
    files = sorted(out.glob("cell-*.parquet"))
    assert len(files) == 8
    assert len(pd.read_parquet(files)) == 8

    assert status_of([*ASKED, "--out", str(out)]) == 2
    assert "holds results already; add --resume" in capsys.readouterr().err
    files[3].unlink()
    times = {path: path.stat().st_mtime_ns for path in files if path.exists()}
    assert status_of([*ASKED, "--out", str(out), "--resume", "--json", "--workers", "1"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["cell"] for row in rows] == list(range(8))
    assert files[3].exists()
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in times.items())

    other = [*ASKED, "--axis", "seed=1", "--out", str(out), "--resume"]
    assert status_of(other) == 2
    assert "with another cells" in capsys.readouterr().err


def test_each_cell_gets_the_replications_that_its_interval_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loads = "workload.arrivals.rate_per_s=0.2,1.6"
    few = ["--policy", "local", "--set", "workload.requests=60", "--set", "replications=2"]
    asked = ["sweep", "jetson-16-clouds", *few, "--axis", loads, "--workers", "1"]
    until = ["--until", "mean=10%", "--at-most", "40"]
    assert status_of([*asked, *until, "--json"]) == 0
    calm, busy = json.loads(capsys.readouterr().out)
    assert LEAST <= calm["replications"] < busy["replications"] < 40
    for row in (calm, busy):
        assert row["narrow"]
        assert row["mean_s_high"] - row["mean_s_low"] <= 2 * 0.1 * row["mean_s"]
    few_more = [*asked, "--until", "mean=10%", "--at-most", str(busy["replications"] - 1)]
    assert status_of(few_more) == 0
    assert "mean within ± 10 % not reached in 1 of 2 cells by" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--axis", "clouds"], "--axis 'clouds': write it as key=value"),
        (["--axis", "wiev_age=0s"], "view_age"),
        (["--axis", "view_age=0s,1x"], "'x' is no unit"),
        (["--policy", "sharded/deferred:clouds={n}"], "there is no axis 'n'"),
        (["--policy", "sharded/defered"], "did you mean"),
        (["--resume"], "--resume: without --out holds nothing"),
        (["--address", "10.0.0.1:6379"], "give --engine ray, too"),
        (["--engine", "ray", "--address", "127.0.0.1:1"], "no Ray cluster answers there"),
    ],
)
def test_mistakes_are_told_in_a_line(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "ray" in options and not find_spec("ray"):
        pytest.skip("pip install 'tessera[cluster]'")
    assert status_of(["sweep", "jetson-16-clouds", *options]) == 2
    said = capsys.readouterr()
    assert complaint in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_a_full_disk_loses_no_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results"
    with no_file_above(4096):  # less than a cell's
        assert status_of([*ASKED, "--out", str(out), "--workers", "1"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert not list(out.glob("cell-*"))
    assert status_of([*ASKED, "--out", str(out), "--resume", "--workers", "1"]) == 0


def _ended(out: Path, moment: Callable[[], bool], how: signal.Signals) -> None:
    """Begin a sweep, or go on with it, and end it when the moment has come."""
    resume = ["--resume"] if out.is_dir() and any(out.iterdir()) else []
    process = subprocess.Popen(
        [*PROGRAM, *ASKED, "--out", str(out), "--workers", "2", *resume],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        while process.poll() is None and not moment():
            time.sleep(0.01)
        process.send_signal(how)
        process.wait(60)
    finally:
        process.kill()
    deadline = time.monotonic() + 20
    while _group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _group(process.pid)


def _group(leader: int) -> list[int]:
    """Return the processes of a session that are left."""
    found = []
    for process in psutil.process_iter(["pid", "status"]):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            session = os.getsid(process.pid)
            if session == leader and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ended_at_any_moment_it_goes_on_to_the_same(
    alone: pd.DataFrame, tmp_path: Path, how: signal.Signals
) -> None:
    out, chance = tmp_path / "results", random.Random(int(how))  # noqa: S311 - no secret
    for _ in range(5):
        begun_s, wait_s = time.monotonic(), chance.uniform(1.0, 4.0)
        there = len(list(out.glob("cell-*.parquet")))
        _ended(out, lambda: time.monotonic() - begun_s > wait_s, how)  # noqa: B023 - at once
        assert len(list(out.glob("cell-*.parquet"))) >= there
    resume = ["--resume"] if out.is_dir() and any(out.iterdir()) else []
    assert status_of([*ASKED, "--out", str(out), *resume, "--workers", "1"]) == 0
    found = pd.concat(map(pd.read_parquet, sorted(out.glob("cell-*.parquet"))), ignore_index=True)
    pd.testing.assert_frame_equal(found, alone, check_like=True)
    assert {path.suffix for path in out.iterdir()} == {".json", ".parquet"}
