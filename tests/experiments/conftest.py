"""The program in this process, and a scenario of the user's own for it to run."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from experiments.cli.main import status_of

SCENARIO = """\
description: four clouds
topology: orin-nano-4-clouds
workload:
  model: sam-vit-b
  image: {width_px: 1280, height_px: 720, encoding: jpeg}
  arrivals: {kind: poisson, rate_per_s: 0.5}
  requests: 12
policy: local
deadline: 900ms
seed: 7
replications: 2
warm_up: 2
"""


class Ran(NamedTuple):
    """What the program left: its exit status, standard output and standard error."""

    status: int
    out: str
    err: str


Program = Callable[..., Ran]
ScenarioFile = Callable[..., Path]


@pytest.fixture
def tessera(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return the program: call it with its arguments."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        status = status_of(list(arguments))
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def scenario_file(tmp_path: Path) -> ScenarioFile:
    """Return a writer of `SCENARIO`, one text in it replaced by another."""

    def write(old: str = "", new: str = "", name: str = "mine.yaml") -> Path:
        assert old in SCENARIO
        path = tmp_path / name
        path.write_text(SCENARIO.replace(old, new) if old else SCENARIO, encoding="utf-8")
        return path

    return write
