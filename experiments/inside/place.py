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
    """Return the command that runs a program with ``arguments``, some options and values left out.

    ``program`` is what Python is to be told.

    >>> again(["run", "tiny", "--inside", "uml", "--memory=2GiB"], "--inside", "--memory")[-2:]
    ['run', 'tiny']
    """
    kept: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in without:
            next(rest, None)
        elif word.partition("=")[0] not in without:
            kept.append(word)
    return [sys.executable, "-P", "-c", program, *kept]
