"""The README's examples are run as a reader would: files saved, scripts started, commands typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
FENCES = [
    token
    for token in MarkdownIt().parse((ROOT / "README.md").read_text(encoding="utf-8"))
    if token.type == "fence"
]
FILE_NAME = re.compile(r"# ([\w.-]+\.(?:py|yaml))\n")


def run(command: list[str], folder: Path) -> str:
    programs = str(Path(sys.executable).parent)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "TESSERA": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr  # 1: a deadline that does not hold
    return done.stdout


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the README says to save."""
    folder = tmp_path_factory.mktemp("reader")
    for fence in FENCES:
        if found := FILE_NAME.match(fence.content):
            (folder / found.group(1)).write_text(fence.content, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "name",
    [found.group(1) for fence in FENCES if (found := FILE_NAME.match(fence.content))],
)
def test_a_file_of_the_readme_is_python_that_runs_or_yaml_that_a_command_reads(
    desk: Path, name: str
) -> None:
    if name.endswith(".py"):
        run([sys.executable, name], desk)
    else:
        assert any(name in fence.content for fence in FENCES if fence.info in ("bash", "yaml"))


@pytest.mark.parametrize(
    "command",
    [line for fence in FENCES if fence.info == "bash" for line in fence.content.splitlines()],
)
def test_a_command_of_the_readme_works(desk: Path, command: str) -> None:
    assert run(["bash", "-euc", command], desk)


@pytest.mark.parametrize("fence", [fence for fence in FENCES if fence.info == "console"])
def test_a_transcript_of_the_readme_is_what_the_program_still_prints(
    desk: Path, fence: object
) -> None:
    prompt, _, printed = fence.content.partition("\n")  # type: ignore[attr-defined]
    output = run(["bash", "-euc", prompt.removeprefix("$ ")], desk)
    assert output.strip() == printed.strip()


def test_the_readme_leaves_nothing_out(desk: Path) -> None:
    assert {path.suffix for path in desk.iterdir()} >= {".py", ".yaml"}
    assert {fence.info for fence in FENCES} == {"text", "console", "python", "yaml", "bash"}
