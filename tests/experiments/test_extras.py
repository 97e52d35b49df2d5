"""What a user without extras reads: one line with the package's own name and the remedy."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from experiments.extras import needs
from real_runner.errors import RealRunError
from tests.complaints import refused
from tests.experiments.conftest import Ran

REPOSITORY = Path(__file__).parents[2]
ABSENT = (
    "google", "grpc", "grpc_health", "grpc_tools", "cryptography", "xxhash", "zstandard", "torch",
    "torchvision", "safetensors", "segment_anything", "PIL", "pyroute2", "psutil",
)  # fmt: skip

EACH = """
import contextlib, io, json, sys

sys.modules.update(dict.fromkeys({absent}))
from experiments.cli.main import status_of

for arguments in {commands}:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            status = status_of(arguments)
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""


def without(absent: tuple[str, ...], folder: Path, *commands: list[str]) -> list[Ran]:
    """Run commands one after the other where ``absent`` are not installed."""
    ended = subprocess.run(
        [sys.executable, "-c", EACH.format(absent=absent, commands=commands)],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return [Ran(*json.loads(line)) for line in ended.stdout.splitlines()]


def test_what_needs_the_real_runner_names_the_package_and_the_extra(tmp_path: Path) -> None:
    commands = (
        ["run", "small-sam"],
        ["compare", "small-sam"],
        ["worker", "--listen", "127.0.0.1:0", "--insecure"],
        ["credentials", "small-sam", "--out", "keys"],
        ["calibrate", "--model", "sam-small", "--out", "here.yaml"],
    )
    every = without(ABSENT, tmp_path, *commands)
    assert len(every) == len(commands)
    for ran in every:
        refused(ran, "is not installed; pip install 'tessera[real]'")
        assert ran.err.split("'")[1] in brought_by_real(), ran.err
    assert list(tmp_path.iterdir()) == []


def test_searching_without_optuna_says_what_to_install(tmp_path: Path) -> None:
    asked = ["search", "small-sam", "--over", "view_age=0ms..9ms", "--out", "mine"]
    (ran,) = without(("optuna",), tmp_path, asked)
    refused(ran, "package 'optuna' is not installed; pip install 'tessera[search]'")
    assert list(tmp_path.iterdir()) == []


def brought_by_real() -> set[str]:
    """Return the names of the packages that installing the extra brings."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = project["optional-dependencies"]["real"]
    return {re.split("[>=<]", requirement)[0] for requirement in listed}


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("google.protobuf", "protobuf"), ("grpc.aio", "grpcio"), ("grpc_tools", "grpcio-tools"),
        ("grpc_health.v1", "grpcio-health-checking"), ("PIL.Image", "pillow"),
        ("segment_anything", "segment-anything"), ("zstandard", "zstandard"),
        ("dp_accounting.pld", "dp-accounting"),
    ],
)  # fmt: skip
def test_the_name_is_that_of_what_can_be_installed(module: str, distribution: str) -> None:
    complaint = f"package '{distribution}' is not installed"
    with pytest.raises(RealRunError, match=complaint), needs("real"):
        raise ModuleNotFoundError(name=module)


def test_what_another_process_is_to_import_is_looked_for_beforehand() -> None:
    began = False
    complaint = "'no_such_thing' is not installed"
    with pytest.raises(RealRunError, match=complaint), needs("real", "json", "no_such_thing"):
        began = True
    assert not began
    with needs("real", "json"):
        began = True
    assert began


@pytest.mark.parametrize("module", ["real_runner.no_such_module", "sim", None])
def test_a_module_of_our_own_that_is_missing_is_no_matter_of_installing(module: str | None) -> None:
    with pytest.raises(ModuleNotFoundError), needs("real"):
        raise ModuleNotFoundError(name=module)


def test_what_killed_programs_left_is_removed_without_any_extra(tmp_path: Path) -> None:
    half = tmp_path / ".mine.999999999.partial"
    half.mkdir()
    (ran,) = without(ABSENT, tmp_path, ["clean", "."])
    assert (ran.status, ran.err) == (0, "")
    assert half.name in ran.out
    assert not half.exists()
