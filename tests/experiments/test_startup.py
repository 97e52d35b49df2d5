"""Who imports what: simulating must start fast and work where torch is not installed.

Import contracts cannot see what an ``__init__`` re-exports, so each of these proves it in a
process of its own.
"""

import subprocess
import sys

import pytest

IMPORT_ALL = """
import importlib, pkgutil, sys

sys.modules.update(dict.fromkeys({absent}))

def names(package):
    yield package
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if found.name.rpartition(".")[2] != "__main__" and not found.name.startswith({skip}):
            yield found.name

count = sum(1 for package in {packages} for name in names(package) if importlib.import_module(name))
print(count)
"""

SIMULATE = """
import sys

{before}
from experiments.cli.main import status_of

small = ["--set", "replications=1", "--set", "workload.requests=24"]
status = status_of(["simulate", "jetson-16-clouds", *small, "--policy", "all"])
assert status == 0, status
heavy = {{"torch", "torchvision", "matplotlib", "segment_anything"}}
loaded = sorted(name for name in heavy if sys.modules.get(name))
assert not loaded, loaded
"""

WITHOUT_TORCH = "sys.modules.update(dict.fromkeys(['torch', 'torchvision', 'matplotlib']))"


def run(script: str) -> str:
    """Return what ``script`` prints when it runs in a fresh process, which it must end well."""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def import_all(packages: tuple[str, ...], absent: tuple[str, ...], skip: str = "-") -> int:
    """Import all modules of ``packages`` where ``absent`` are not installed; return how many."""
    return int(run(IMPORT_ALL.format(packages=packages, absent=absent, skip=(skip,))))


@pytest.mark.parametrize("before", ["", WITHOUT_TORCH], ids=["torch unused", "torch absent"])
def test_simulating_imports_neither_torch_nor_matplotlib(before: str) -> None:
    assert "sharded/deferred" in run(SIMULATE.format(before=before))


@pytest.mark.parametrize("package", ["sim", "workloads", "topologies"])
def test_what_the_simulator_is_made_of_imports_without_torch(package: str) -> None:
    assert import_all((package,), ("torch", "torchvision", "segment_anything")) > 5


def test_policies_plans_and_traces_import_without_simpy() -> None:
    assert import_all(("sim.policies",), ("simpy",)) > 3
    assert import_all(("sim", "workloads", "topologies"), ("simpy",), skip="sim.engine") > 20


def test_the_engine_is_what_needs_simpy() -> None:
    script = "import sys\nsys.modules['simpy'] = None\nimport sim.engine.simulator"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert b"simpy" in ended.stderr


def test_the_real_runner_imports_without_simpy() -> None:
    assert import_all(("real_runner",), ("simpy",)) >= 1
