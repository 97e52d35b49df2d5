"""A long measurement in parts: each is on disk once it is done, and is not measured again."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import pandas as pd

from experiments.keeping import PART, Held, whole
from experiments.program import program
from real_runner.errors import RealRunError

ORDERS: Final = "orders.json"
SITTINGS: Final = "sittings.json"
"""Which program was at work there, once for each that differs from the one before."""
FINDINGS: Final = "findings.json"
"""What it came to, once all of it is done."""


class Parts:
    """Tables by name, in a folder or, without one, in memory.

    A folder is one measurement's: ``orders`` say of what, ``command`` how it was asked for. Use it
    in a ``with`` statement, for it is one process's at a time. Raises `RealRunError` where it is
    another's, is no such folder, or cannot be written.
    """

    def __init__(self, folder: Path | None, orders: Mapping[str, Any], command: str = "") -> None:
        self._folder = folder
        self._kept: dict[str, pd.DataFrame] = {}
        self._held = Held(folder) if folder is not None else None
        try:
            if folder is not None:
                _settle(folder, json.loads(json.dumps(orders)))
                _sign(folder / SITTINGS, {"command": command, **program()})
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another process have the folder."""
        if self._held is not None:
            self._held.close()

    def get(self, name: str) -> pd.DataFrame | None:
        """Return a part that is done, or nothing."""
        if self._folder is None or name in self._kept:
            return self._kept.get(name)
        path = self._path(name)
        try:
            return pd.read_parquet(path) if path.exists() else None
        except (OSError, ValueError) as error:  # what it raises of a file that is none
            raise RealRunError(f"{path}: cannot be read ({error}); remove it") from error

    def keep(self, name: str, table: pd.DataFrame) -> None:
        """Keep a part; `RealRunError` where there is no room."""
        if self._folder is None:
            self._kept[name] = table
            return
        with whole(self._path(name)) as part:
            table.to_parquet(part)

    def conclude(self, kind: str, found: Mapping[str, Any]) -> None:
        """Keep what a measurement of some ``kind`` came to, as JSON has it."""
        if self._folder is not None:
            _write(self._folder / FINDINGS, {"kind": kind, "found": found})

    def _path(self, name: str) -> Path:
        assert self._folder is not None  # noqa: S101 - asked before
        short = "".join(letter if letter.isalnum() else "-" for letter in name)[:80]
        return self._folder / f"{short}-{sha256(name.encode()).hexdigest()[:8]}.parquet"


def _settle(folder: Path, orders: Any) -> None:
    """Make the folder this measurement's, unless it is already."""
    path = folder / ORDERS
    if path.exists():
        _compare(path, orders)
        return
    if any(each.suffix != PART for each in folder.iterdir()):
        raise RealRunError(f"--out {folder}: holds something else; choose another folder")
    _write(path, orders)


def _sign(path: Path, sitting: dict[str, Any]) -> None:
    """Add who is at work to those that were, unless it is the last of them again."""
    before = _read(path) if path.exists() else []
    if not isinstance(before, list) or not all(isinstance(each, dict) for each in before):
        raise RealRunError(f"{path}: is no file of ours; remove it")
    if not before or {**before[-1], "created": ""} != {**sitting, "created": ""}:
        _write(path, [*before, sitting])


def _write(path: Path, value: Any) -> None:
    with whole(path) as part:
        part.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RealRunError(
            f"{path}: is no file of ours ({error}); choose another folder"
        ) from error


def _compare(path: Path, orders: Any) -> None:
    before = _read(path)
    if before == orders:
        return
    apart = [key for key in {*before, *orders} if before.get(key) != orders.get(key)]
    raise RealRunError(
        f"{path}: is of a measurement with another {', '.join(sorted(apart))}; choose another "
        "folder, or remove it"
    )
