"""Options that several commands share, and how the program shows that it is at work."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from sim.errors import ScenarioError
from sim.policies.registry import POLICIES
from topologies.documents import parse_quantity
from topologies.errors import TopologyError

ScenarioName = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="Name of a shipped scenario, or a .yaml file.")
]
PolicySpecs = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        help="NAME[:key=value,…] or file.py:Class; may be repeated; 'all' for every shipped one "
        "that is made for such a model.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the scenario, e.g. replications=3."),
]
OutFolder = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write a result folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def expand(specs: list[str], shipped: Iterable[str] = tuple(POLICIES)) -> list[str]:
    """Return policies' specifications, each once, with every ``shipped`` one in place of 'all'."""
    named = [name for spec in specs for name in (tuple(shipped) if spec == "all" else (spec,))]
    return list(dict.fromkeys(named))


def show(*parts: RenderableType) -> None:
    """Print tables and text on standard output: as wide as they want where it is no terminal."""
    for part in parts:
        screen = Console()
        if not screen.is_terminal:
            options = screen.options.update(max_width=WIDEST)
            screen = Console(width=Measurement.get(screen, options, part).maximum)
        screen.print(part)


WIDEST = 1000
_WIDEST_NAME = 40


@dataclass(frozen=True)
class Bar:
    """A progress bar: called after each part, and told what is being done."""

    advance: Callable[[], None]
    doing: Callable[[str], None]

    def __call__(self) -> None:
        """Say that a part is done."""
        self.advance()


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Bar]:
    """Show progress on standard error while the block runs, on a terminal only.

    Yields what is to be called after each of ``total`` parts. It is called ``title`` until it is
    told otherwise.
    """
    terminal = Console(stderr=True)
    narrow = Column(max_width=_WIDEST_NAME, no_wrap=True)
    name = TextColumn("{task.description}", markup=False, table_column=narrow)
    columns = (name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=terminal, transient=True, disable=not terminal.is_terminal
    ) as progress:
        task = progress.add_task(title, total=total)
        yield Bar(
            lambda: progress.advance(task), lambda text: progress.update(task, description=text)
        )


def duration_s(text: str, option: str) -> float:
    """Return the seconds in ``text``; a bare number is an error that names the option."""
    try:
        return parse_quantity(text, "duration")
    except TopologyError as error:
        raise ScenarioError(f"{option}: {error}") from None


def percentage(text: str, option: str) -> float:
    """Return the fraction that ``text`` gives in per cent; a bare number is an error."""
    digits = text.strip().removesuffix("%")
    try:
        found = float(digits) / 100
    except ValueError:
        found = nan
    if digits == text.strip() or not 0 < found < 1:
        raise ScenarioError(f"{option} {text!r}: give a percentage between 0% and 100%, e.g. 5%")
    return found
