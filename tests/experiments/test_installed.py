"""What a wheel contains is enough: the package runs from elsewhere, without the repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("sim", "topologies", "workloads", "real_runner", "experiments")
FILES = ("pyproject.toml", "README.md", "LICENSE")

RUN = """
import experiments, sim, topologies, workloads
from experiments.cli import main

for package in (experiments, sim, topologies, workloads):
    assert package.__file__.startswith({target!r}), package.__file__
main()
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install a copy of the repository's sources, which a build would litter, into a folder."""
    source = tmp_path_factory.mktemp("source")
    target = tmp_path_factory.mktemp("target")
    for package in PACKAGES:
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / package, source / package, ignore=unwanted)
    for file in FILES:
        shutil.copy(REPOSITORY / file, source / file)
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    offline = ("--no-deps", "--no-build-isolation")
    subprocess.run([*install, *offline, "--target", target, source], check=True)
    return target


def run(target: Path, folder: Path, *arguments: str) -> str:
    """Run the installed program in ``folder`` and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(target)}
    ended = subprocess.run(
        [sys.executable, "-c", RUN.format(target=str(target)), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.long
def test_the_installed_program_simulates_from_anywhere(target: Path, tmp_path: Path) -> None:
    small = ("--set", "replications=1", "--set", "workload.requests=30")
    printed = run(target, tmp_path, "simulate", "jetson-16-clouds", *small, "--out", "results")
    assert "sharded/deferred" in printed
    assert (tmp_path / "results" / "steps.parquet").is_file()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["scenarios", "topologies", "devices", "policies", "workloads"])
def test_everything_that_ships_is_installed(target: Path, tmp_path: Path, kind: str) -> None:
    here = subprocess.run(
        [sys.executable, "-c", "from experiments.cli import main; main()", "list", kind],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run(target, tmp_path, "list", kind) == here.stdout


@pytest.mark.long
def test_every_data_file_of_the_repository_is_installed(target: Path) -> None:
    for package in PACKAGES:
        for pattern in (
            "*.yaml",
            "*.json",
            "*.csv",
            "*.safetensors",
            "*.html",
            "*.css",
            "*.js",
            "py.typed",
        ):
            for path in (REPOSITORY / package).rglob(pattern):
                assert (target / path.relative_to(REPOSITORY)).is_file(), path
