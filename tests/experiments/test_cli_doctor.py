"""`tessera doctor` finds out what works, and says what to do for the rest."""

import sys
from pathlib import Path

import pytest

from tests.experiments.conftest import Program
from tests.experiments.inside.conftest import run

CORE_ONLY = """
import sys
for name in ("psutil", "pyroute2", "torch", "grpc", "mininet"):
    sys.modules[name] = None
from experiments.cli.main import status_of
sys.exit(status_of(["doctor"]))
"""
WORDS = ("loopback", "userspace", "netem", "mininet", "external")


def rows(out: str) -> dict[str, list[str]]:
    """Return the rows of the tables, by their first cell."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    return {row[0]: row[1:] for row in cells if row}


def test_every_kind_of_links_is_judged(tessera: Program) -> None:
    ran = tessera("doctor")
    assert (ran.status, ran.err) == (0, "")
    found = rows(ran.out)
    for word in WORDS:
        assert found[word][0].startswith(("usable", "not usable"))
    for word in ("userspace", "netem", "mininet"):
        for row in (found[word], found[f"{word} --inside uml"]):
            assert (row[0] == "not usable") == bool(row[1])


def test_what_is_missing_comes_with_its_remedy(
    tessera: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = rows(tessera("doctor").out)
    assert found["C compiler"] == ["no cc", "apt-get install gcc libc6-dev"]
    assert found["userspace"][0] == "not usable"
    assert "C compiler: apt-get install gcc libc6-dev" in found["userspace"][1]
    assert found["netem --inside uml"][0] == "not usable"


def test_it_needs_nothing_but_the_core() -> None:
    ran = run(sys.executable, "-c", CORE_ONLY)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert set(WORDS) <= set(rows(ran.stdout))
