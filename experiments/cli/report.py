"""``tessera report``: one HTML page of a result folder, with everything in it."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from experiments.extras import needs
from sim.errors import ScenarioError

PAGE = "report.html"


def report(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="What a command wrote by --out."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=f"Default: DIR/{PAGE}.")
    ] = None,
    *,
    opening: Annotated[
        bool, typer.Option("--open", help="Show the page in the browser when it is written.")
    ] = False,
) -> None:
    """Write one HTML page of what a result folder holds: the verdict, figures, and their data.

    The page needs no network. It works by keyboard, in the dark, and on a phone.

    Example: tessera report results/first --open
    """
    path = out or folder / PAGE
    if not folder.is_dir():
        raise ScenarioError(f"{folder}: there is no such folder; name one that --out has written")
    if path.is_dir() or not path.parent.is_dir():
        raise ScenarioError(f"--out {path}: name a file in a folder that is there")
    with needs("report"):
        from experiments.reports import page, reading  # noqa: PLC0415 - an extra
    page.write(reading.read(folder), path)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    if opening:
        webbrowser.open(path.resolve().as_uri())
