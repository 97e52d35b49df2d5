"""What links need is found out by trying it."""

import sys
from pathlib import Path

import pytest

from experiments.inside.means import NEEDS, Examiner, Finding, netem
from experiments.workplaces import Links
from tests.experiments.inside.conftest import Run, run

ASK = "from experiments.inside.means import netem; print(netem().remedy)"


def test_programs_that_are_not_there_are_named_with_their_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TESSERA_UML", raising=False)
    examiner = Examiner()
    assert Finding("C compiler", "no cc", "apt-get install gcc libc6-dev") in examiner.missing(
        "userspace"
    )
    missing = {finding.what: finding for finding in examiner.missing_in_guest("mininet")}
    assert missing["Mininet's program"].remedy == "apt-get install mininet"
    assert missing["User-Mode Linux"].found == "User-Mode Linux: no linux.uml"


def test_each_thing_is_tried_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    examiner = Examiner()
    before = list(examiner.findings())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(examiner.findings()) == before


def test_netem_is_missing_just_where_the_kernel_refuses_one() -> None:
    ran = run(sys.executable, "-m", "experiments.inside.trial", "netem")
    assert bool(netem().remedy) == bool(ran.returncode)


def test_netem_is_found_in_a_guest_that_has_it(in_guest: Run) -> None:
    assert in_guest(sys.executable, "-c", ASK).stdout == "\n"


def test_whatever_is_missing_has_a_remedy_and_all_needs_are_of_links_there_are() -> None:
    for finding in Examiner().findings():
        assert finding.what
        assert finding.found
    assert set(NEEDS) <= {each.value for each in Links}
