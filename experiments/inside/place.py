"""The places where a command may run, and how the same command is run again in another."""

import sys
from collections.abc import Sequence
from enum import Enum
from typing import Final


class Place(Enum):
    """Where a command itself runs."""

    HERE = "here"
    USER_NAMESPACE = "user-namespace"
    UML = "uml"


TESSERA: Final = "from experiments.cli import main; main()"


def again(arguments: Sequence[str], *without: str, program: str = TESSERA) -> list[str]:
    """Return the command that runs a program with ``arguments``, but for `left_out` ones.

    ``program`` is what Python is to be told.
    """
    return [sys.executable, "-P", "-c", program, *left_out(arguments, *without)]


def left_out(arguments: Sequence[str], *without: str) -> list[str]:
    """Return ``arguments`` without some options and their values.

    >>> left_out(["run", "tiny", "--inside", "uml", "--memory=2GiB"], "--inside", "--memory")
    ['run', 'tiny']
    """
    kept: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in without:
            next(rest, None)
        elif word.partition("=")[0] not in without:
            kept.append(word)
    return kept
