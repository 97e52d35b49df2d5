"""What goes wrong with a guest is said in one line, which names the remedy."""

from pathlib import Path

import pytest

from experiments.inside.uml.modules import load
from tests.experiments.inside.conftest import UML, Run, run

BROKEN = """#!/bin/sh
[ "$1" = --version ] && { echo 9.9; exit; }
echo "Kernel panic - not syncing: no such thing" >&2
echo "Call trace: something else" >&2
exit 1
"""


def broken_kernel(folder: Path, *, modules: bool) -> str:
    """Write a kernel that does not start, laid out as the Debian package is; return its path."""
    program = folder / "usr/bin/linux.uml"
    program.parent.mkdir(parents=True)
    program.write_text(BROKEN, encoding="utf-8")
    program.chmod(0o755)
    if modules:
        place = folder / "usr/lib/uml/modules/9.9"
        place.mkdir(parents=True)
        (place / "modules.dep").write_text("", encoding="utf-8")
    return str(program)


def test_no_kernel(tmp_path: Path) -> None:
    ran = run(*UML, "--", "true", PATH=str(tmp_path), TESSERA_UML="")
    assert ran.returncode == 2
    assert ran.stderr.startswith("tessera: User-Mode Linux: no linux.uml; apt-get install")
    assert "TESSERA_UML=" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_kernel_that_is_not_where_the_user_says() -> None:
    ran = run(*UML, "--", "true", TESSERA_UML="/no/such/kernel")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "TESSERA_UML=/no/such/kernel: no such program" in ran.stderr


def test_a_program_that_is_no_kernel() -> None:
    ran = run(*UML, "--", "true", TESSERA_UML="/bin/false")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)


def test_a_kernel_without_modules(tmp_path: Path) -> None:
    ran = run(*UML, "--", "true", TESSERA_UML=broken_kernel(tmp_path, modules=False))
    assert ran.returncode == 2
    assert f"no modules in {tmp_path}/usr/lib/uml/modules/9.9" in ran.stderr


def test_a_guest_that_dies_says_its_last_words(tmp_path: Path) -> None:
    ran = run(*UML, "--", "true", TESSERA_UML=broken_kernel(tmp_path, modules=True))
    assert ran.returncode == 125
    last = "Kernel panic - not syncing: no such thing"
    assert ran.stderr == f"tessera: User-Mode Linux: the guest ended early: {last}\n"


@pytest.mark.usefixtures("needs_guests")
def test_more_memory_than_there_is() -> None:
    ran = run(*UML, "--memory", "900000GiB", "--", "true")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "give less with --memory" in ran.stderr


@pytest.mark.usefixtures("needs_guests")
def test_memory_without_a_unit() -> None:
    ran = run(*UML, "--memory", "2", "--", "true")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)


def test_a_program_that_is_not_there(in_guest: Run) -> None:
    ran = in_guest("no-such-program")
    assert (ran.returncode, ran.stdout) == (127, "")
    assert ran.stderr == "no-such-program: No such file or directory\n"


def test_a_module_that_a_kernel_does_not_have_is_named(tmp_path: Path) -> None:
    (tmp_path / "modules.dep").write_text("net/veth.ko:\n", encoding="utf-8")
    (tmp_path / "modules.builtin").write_text("net/tun.ko\n", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="sch_netem"):
        load(["tun", "sch_netem"], tmp_path)
