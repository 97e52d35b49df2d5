"""A long measurement in parts: each is on disk once it is done, and is not measured again."""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pandas as pd

from real_runner.errors import RealRunError

ORDERS: Final = "orders.json"


class Parts:
    """Tables by name, in a folder or, without one, in memory.

    A folder is one measurement's: ``orders`` say of what. Raises `RealRunError` where it is
    another's, is no such folder, or cannot be written.
    """

    def __init__(self, folder: Path | None, orders: Mapping[str, Any]) -> None:
        self._folder = folder
        self._kept: dict[str, pd.DataFrame] = {}
        if folder is not None:
            _settle(folder, json.loads(json.dumps(orders)))

    def get(self, name: str) -> pd.DataFrame | None:
        """Return a part that is done, or nothing."""
        if self._folder is None or name in self._kept:
            return self._kept.get(name)
        path = self._path(name)
        return pd.read_parquet(path) if path.exists() else None

    def keep(self, name: str, table: pd.DataFrame) -> None:
        """Keep a part; `RealRunError` where there is no room."""
        if self._folder is None:
            self._kept[name] = table
            return
        path = self._path(name)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            table.to_parquet(part)
            part.replace(path)
        except OSError as error:
            raise RealRunError(f"{path}: cannot be written ({error}); make room there") from error
        finally:
            part.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        assert self._folder is not None  # noqa: S101 - asked before
        short = "".join(letter if letter.isalnum() else "-" for letter in name)[:80]
        return self._folder / f"{short}-{sha256(name.encode()).hexdigest()[:8]}.parquet"


def _settle(folder: Path, orders: Any) -> None:
    """Make the folder this measurement's, unless it is already."""
    path = folder / ORDERS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _compare(path, orders)
            return
        if any(folder.iterdir()):
            raise RealRunError(f"--out {folder}: holds something else; choose another folder")
        part = folder / f".{ORDERS}.{os.getpid()}.part"
        part.write_text(json.dumps(orders, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise RealRunError(f"--out {folder}: cannot be used ({error}); choose another") from error


def _compare(path: Path, orders: Any) -> None:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RealRunError(
            f"{path}: is no file of ours ({error}); choose another folder"
        ) from error
    if before == orders:
        return
    apart = [key for key in {*before, *orders} if before.get(key) != orders.get(key)]
    raise RealRunError(
        f"{path}: is of a measurement with another {', '.join(sorted(apart))}; choose another "
        "folder, or remove it"
    )
