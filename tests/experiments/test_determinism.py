"""The same scenario gives the same results in every process, whatever the hash seed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

TABLES = ("steps", "requests", "exposure", "nodes", "links")
POLICIES = ("sharded/deferred", "sharded/exact:assignment=random,seed=3", "best-split", "offload")
RUNS = 3


def simulate(folder: Path, hash_seed: int, *settings: str) -> None:
    """Run the program in a process of its own."""
    program = (sys.executable, "-c", "from experiments.cli import main; main()")
    policies = [word for policy in POLICIES for word in ("--policy", policy)]
    changes = [word for setting in settings for word in ("--set", setting)]
    subprocess.run(
        [*program, "simulate", "jetson-16-clouds", *policies, *changes, "--out", str(folder)],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        check=True,
    )


FAULTS = "{random: [{node: '*-*', fault: crash, mean_up: 9s, mean_down: 2s}]}"
SMALL = ("replications=2", "workload.requests=40", f"faults={FAULTS}")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the result folders of one scenario run in processes with different hash seeds."""
    folders = [tmp_path_factory.mktemp("runs") / "results" for _ in range(RUNS)]
    for hash_seed, folder in enumerate(folders):
        simulate(folder, hash_seed, *SMALL)
    return folders


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_equal_to_the_last_bit(folders: list[Path], name: str) -> None:
    first, *others = [pq.read_table(folder / f"{name}.parquet") for folder in folders]
    assert first.num_rows > 0
    for other in others:
        assert other.equals(first, check_metadata=True)
        for column in first.column_names:
            mine, theirs = first[column].combine_chunks(), other[column].combine_chunks()
            assert [buffer and buffer.to_pybytes() for buffer in mine.buffers()] == [
                buffer and buffer.to_pybytes() for buffer in theirs.buffers()
            ]


def test_timelines_are_equal(folders: list[Path]) -> None:
    first, *others = [(folder / "timeline.json").read_bytes() for folder in folders]
    assert all(other == first for other in others)


def test_manifests_differ_in_the_moment_and_the_folder_only(folders: list[Path]) -> None:
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in folders]
    for manifest in manifests:
        del manifest["created"], manifest["git_revision"]  # somebody may commit meanwhile
        del manifest["command"]  # names the folder
    assert manifests == [manifests[0]] * RUNS


def test_another_seed_gives_another_run(folders: list[Path], tmp_path: Path) -> None:
    simulate(tmp_path / "results", 0, *SMALL, "seed=1")
    other, first = (
        pq.read_table(folder / "requests.parquet") for folder in (tmp_path / "results", folders[0])
    )
    assert other.num_rows == first.num_rows
    assert not other["arrival_s"].equals(first["arrival_s"])
