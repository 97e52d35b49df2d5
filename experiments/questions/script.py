"""How a question is asked on the command line: the arguments that scripts share, and the end."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from experiments.cli import ending
from experiments.questions.picture import require_drawable

FigureFile = Annotated[
    Path,
    typer.Argument(
        metavar="FIGURE",
        callback=require_drawable,
        help="Where the picture goes; its suffix says in which format.",
    ),
]
Replications = Annotated[
    int, typer.Argument(metavar="REPLICATIONS", min=1, help="Of each scenario.")
]
SeveralReplications = Annotated[
    int, typer.Argument(metavar="REPLICATIONS", min=2, help="Of each scenario, at least two.")
]


def ask(question: Callable[..., None]) -> NoReturn:
    """Run a script's ``main`` on this process's arguments, and leave with the status."""
    ending.end_with(partial(status_of, question))


def status_of(question: Callable[..., None], arguments: list[str]) -> int:
    """Run a script's ``main`` on ``arguments``; a user's mistake becomes one line and status 2."""
    program = ending.program_of("")
    program.command()(question)
    module = sys.modules[question.__module__].__spec__
    name = f"python -m {module.name}" if module else question.__module__
    return ending.status_of(program, arguments, name, "interrupted; nothing was written")
