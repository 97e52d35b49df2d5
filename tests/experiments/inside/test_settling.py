"""`tessera run` settles where it runs, and over which links, before it does anything else."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from experiments.cli.inside import choose_links
from experiments.inside.means import Examiner
from experiments.workplaces import Links
from tests.experiments.inside.conftest import run, tessera


class Said(NamedTuple):
    """As the fixture `tessera` returns it."""

    status: int
    out: str
    err: str


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--links", "lan"), "--links lan: there is no such kind; use one of loopback"),
        (("--memory", "2GiB"), "--memory 2GiB: has no meaning without --inside uml"),
        (("--inside", "uml", "--memory", "2"), "--memory '2'"),
        (("--certificate",), "--certificate: loopback links have none"),
    ],
)
def test_options_that_make_no_sense_are_one_line(
    options: tuple[str, ...], words: str, request: pytest.FixtureRequest
) -> None:
    program: Callable[..., Said] = request.getfixturevalue("tessera")
    ran = program("run", "small-sam", *options)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert words in ran.err


def test_auto_says_what_it_chose(capsys: pytest.CaptureFixture[str]) -> None:
    if missing := Examiner().missing("userspace"):
        pytest.skip(f"{missing[0].what}: {missing[0].remedy}: sudo make test")
    assert choose_links() is Links.USERSPACE
    assert capsys.readouterr() == ("", "--links auto: userspace, which this machine can emulate\n")


@pytest.mark.usefixtures("needs_guests")
def test_mistakes_of_a_user_come_out_of_the_guest_as_they_are() -> None:
    ran = run(*tessera("run", "no-such", "--inside", "uml", "--memory=1GiB", "--json"))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == run(*tessera("run", "no-such")).stderr


@pytest.mark.long
@pytest.mark.usefixtures("needs_guests")
def test_a_run_in_a_guest_leaves_its_results_here(slow_scenario: Path, tmp_path: Path) -> None:
    command = tessera(
        "run", str(slow_scenario), "--links", "netem", "--dilation", "4", "--json",
        "--out", "results",
    )  # fmt: skip
    for _ in range(3):
        ran = run(*command, "--inside", "uml", cwd=tmp_path)
        if "refused by their certificate" not in ran.stderr:  # as a busy machine may be
            break
    assert ran.returncode == 0, ran.stderr
    certificate = json.loads(ran.stdout)["link_certificate"]
    assert certificate["kernel"] != os.uname().release
    stored = json.loads((tmp_path / "results/manifest.json").read_text(encoding="utf-8"))
    assert stored["link_certificate"] == certificate
    told = run(*tessera("certificate", "results"), cwd=tmp_path)
    assert f"kernel {certificate['kernel']}" in told.stdout
    assert list(tmp_path.iterdir()) == [tmp_path / "results"]
