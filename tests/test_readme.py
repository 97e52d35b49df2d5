"""The README's examples are run as a reader would: files saved, scripts started, commands typed."""

import sys
from pathlib import Path

import pytest

from tests.reading import KINDS, ROOT, Guide, run, typed

README = Guide(ROOT / "README.md")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the README says to save."""
    folder = tmp_path_factory.mktemp("reader")
    README.save(folder)
    return folder


@pytest.mark.parametrize("name", README.files)
def test_a_file_of_the_readme_is_python_that_runs_or_yaml_that_a_command_reads(
    desk: Path, name: str
) -> None:
    if name.endswith(".py"):
        run([sys.executable, name], desk)
    else:
        assert README.uses(name)


@pytest.mark.parametrize("command", README.commands)
def test_a_command_of_the_readme_works(desk: Path, command: str) -> None:
    assert typed(command, desk)


@pytest.mark.parametrize(("command", "printed"), README.transcripts)
def test_a_transcript_of_the_readme_is_what_the_program_still_prints(
    desk: Path, command: str, printed: str
) -> None:
    assert typed(command, desk).strip() == printed.strip()


def test_the_readme_leaves_nothing_out(desk: Path) -> None:
    assert {path.suffix for path in desk.iterdir()} >= {".py", ".yaml"}
    assert {fence.info for fence in README.fences} == KINDS
