"""The compiled modules and their source are one model: the same results, bit for bit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("sim", "topologies", "workloads", "experiments")
PROGRAM = """
import sim.engine.network
assert sim.engine.network.__file__.endswith({suffix!r}), sim.engine.network.__file__
from experiments.cli import main
main()
"""


def simulate(home: Path, suffix: str, out: Path) -> None:
    arguments = ["simulate", "jetson-16-clouds", "--out", str(out)]
    arguments += ["--set", "replications=2", "--set", "workload.requests=100"]
    arguments += [
        "--set",
        "faults={random: [{node: '*-*', fault: crash, mean_up: 9s, mean_down: 2s}]}",
    ]
    arguments += ["--policy", "sharded/exact", "--policy", "best-split"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(suffix=suffix), *arguments],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Result folders of the compiled program and of its source alone."""
    assert list((ROOT / "sim" / "engine").glob("*.so")), "run 'make compile' first"
    folder = tmp_path_factory.mktemp("twins")
    for package in PACKAGES:
        plain = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(ROOT / package, folder / "plain" / package, ignore=plain)
    simulate(ROOT, ".so", folder / "compiled-results")
    simulate(folder / "plain", ".py", folder / "plain-results")
    return folder / "compiled-results", folder / "plain-results"


@pytest.mark.parametrize("table", ["steps", "requests", "exposure"])
def test_compiled_and_plain_results_are_equal(results: tuple[Path, Path], table: str) -> None:
    compiled, plain = (pq.read_table(folder / f"{table}.parquet") for folder in results)
    assert compiled.num_rows > 0
    assert compiled.equals(plain)
