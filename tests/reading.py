"""Pages that tell a reader what to save and to type, read and done as they say.

A block of Python or YAML whose first line is ``# name.py`` or ``# name.yaml`` is to be saved under
that name. Each line of a ``bash`` block is to be typed. A ``console`` block is one command and all
that it prints. Blocks of ``text`` are only shown.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
KINDS = {"text", "console", "python", "yaml", "bash"}
_FILE_NAME = re.compile(r"# ([\w.-]+\.(?:py|yaml))\n")


@dataclass(frozen=True)
class Guide:
    """A page of Markdown that is to be followed."""

    path: Path

    @cached_property
    def fences(self) -> list[Token]:
        """Its blocks of code."""
        text = self.path.read_text(encoding="utf-8")
        return [token for token in MarkdownIt().parse(text) if token.type == "fence"]

    @cached_property
    def files(self) -> dict[str, str]:
        """What it says to save, by name."""
        named = ((_FILE_NAME.match(fence.content), fence.content) for fence in self.fences)
        return {found.group(1): content for found, content in named if found}

    @property
    def commands(self) -> list[str]:
        """What it says to type."""
        typed = (fence.content.splitlines() for fence in self.fences if fence.info == "bash")
        return [line for lines in typed for line in lines]

    @property
    def transcripts(self) -> list[tuple[str, str]]:
        """What it says to type, with what that prints."""
        return [_transcript(fence) for fence in self.fences if fence.info == "console"]

    def in_order(self) -> Iterator[tuple[str, str | None]]:
        """Yield all that it says to type, with what that prints where it says so."""
        for fence in self.fences:
            if fence.info == "console":
                yield _transcript(fence)
            elif fence.info == "bash":
                yield from ((line, None) for line in fence.content.splitlines())

    def save(self, folder: Path) -> None:
        """Save every file that it says to save."""
        for name, content in self.files.items():
            (folder / name).write_text(content, encoding="utf-8")

    def uses(self, name: str) -> bool:
        """Whether a command or another file names the file of that name."""
        content = self.files[name]
        others = (fence.content for fence in self.fences if fence.content != content)
        return any(name in other for other in others)


def _transcript(fence: Token) -> tuple[str, str]:
    prompt, _, printed = fence.content.partition("\n")
    return prompt.removeprefix("$ "), printed


def run(command: list[str], folder: Path) -> str:
    """Run a command as a reader would, and return what it prints; 1 is a deadline not held."""
    programs = str(Path(sys.executable).parent)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "TESSERA": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def typed(line: str, folder: Path) -> str:
    """Type a line at a shell in ``folder``, and return what it prints."""
    return run(["bash", "-euc", line], folder)
