"""``tessera clean``: removes what runs left that were killed."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from real_runner.errors import RealRunError
from real_runner.fleet.folder import leftovers

_DRAFT = re.compile(r"\..+\.(\d+)\.partial")


def clean(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Where results were to be written; default: here and ./results."),
    ] = None,
) -> None:
    """Remove processes, folders and half-written results of runs whose program is gone.

    Example: tessera clean results
    """
    for folder in folders or ():
        if not folder.is_dir():
            raise RealRunError(f"{folder}: no such folder; name those where results were to lie")
    removed = 0
    for leftover in leftovers():
        leftover.remove()
        print(f"{leftover.path}: removed, with {len(leftover.processes)} processes")
        removed += 1
    for draft in _drafts(folders or [Path(), Path("results")]):
        shutil.rmtree(draft)
        print(f"{draft}: removed")
        removed += 1
    if not removed:
        print("nothing to clean")


def _drafts(folders: list[Path]) -> Iterator[Path]:
    """Yield half-written results whose writers are gone."""
    for folder in folders:
        for path in sorted(folder.glob(".*.partial")):
            found = _DRAFT.fullmatch(path.name)
            if found and path.is_dir() and not Path("/proc", found.group(1)).exists():
                yield path
