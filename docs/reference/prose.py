"""Docstrings and tables as Markdown."""

import re
from collections.abc import Iterable, Sequence
from inspect import cleandoc
from typing import Final

_DOCTEST: Final = re.compile(r"(?:^>>> .*\n?)(?:^(?!$).*\n?)*", re.MULTILINE)
_DRAWN: Final = re.compile(r"^(=+(?: =+)+)\n.*?\n\1\n.*?\n\1$", re.MULTILINE | re.DOTALL)


def fenced(docstring: str) -> str:
    r"""Return a docstring with its doctests as blocks of code, and drawn tables as blocks of text.

    >>> fenced("Add.\n\n>>> 1 + 1\n2").splitlines()
    ['Add.', '', '```pycon', '>>> 1 + 1', '2', '```']
    """
    docstring = _DRAWN.sub(lambda found: f"```text\n{found.group()}\n```", docstring)
    return _DOCTEST.sub(lambda found: f"```pycon\n{found.group().rstrip()}\n```\n", docstring)


def told(docstring: str | None) -> str:
    """Return a docstring without its indentation, its doctests fenced."""
    return fenced(cleandoc(docstring or "")).strip()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; what stands in a cell stays in it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def code(text: object) -> str:
    """Return text as code, or nothing for none."""
    return f"`{text}`" if str(text) else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
