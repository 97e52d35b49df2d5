"""Result folders: written whole or not at all, in one schema for every runner.

A folder grows beside its final place under a name of its own and is renamed when it is complete,
so an interrupted or failed run leaves nothing that could be taken for a result.
"""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.timeline import timeline_events
from sim.errors import ScenarioError
from sim.tables import Tables

_NUMBERS = {"queued_s", "start_s", "end_s", "bytes", "flops", "energy_j", "arrival_s", "latency_s",
            "bytes_up", "bytes_down", "cost_usd", "pixels", "pixels_max_node",
            "pixels_max_pair"}  # fmt: skip
_INTEGERS = {"request", "replication", "attempt", "step"}
_FLAGS = {"critical", "mixes"}


class ResultFolder:
    """A folder of results in the making; use it in a ``with`` statement.

    Raises `ScenarioError` where ``path`` exists already or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._draft = path.parent / f".{path.name}.{os.getpid()}.partial"
        self._made: list[Path] = []
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._timeline: list[dict[str, Any]] = []
        self._processes = 0
        self._manifest: Mapping[str, Any] | None = None

    def __enter__(self) -> Self:
        try:
            if self.path.exists():
                raise ScenarioError(f"--out {self.path}: exists already; choose another folder")
            self._made = [folder for folder in self.path.parents if not folder.exists()]
            self._draft.mkdir(parents=True)
        except OSError as error:
            self._clear()
            raise self._complaint(error) from error
        return self

    def add(self, policy: str, replication: int, tables: Tables) -> None:
        """Append the tables of one replication under ``policy``."""
        self._append("requests", policy, tables.requests())
        self._append("exposure", policy, tables.exposure())
        steps = tables.steps()
        self._append("steps", policy, steps)
        if replication == 0:
            self._processes += 1
            self._timeline.extend(timeline_events(steps, policy, self._processes))

    def complete(self, name: str, scenario: Mapping[str, Any], policies: Sequence[str]) -> None:
        """Say that everything has been added; without it leaving the ``with`` discards all."""
        self._manifest = {
            "name": name,
            "scenario": scenario,
            "policies": list(policies),
            "world": "sim",
            "dilation": 1,
            "link_certificate": None,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "git_revision": _git_revision(),
            "host": {"system": platform.platform(), "python": platform.python_version()},
            "versions": {name: _version(name) for name in _RECORDED},
        }

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for writer in self._writers.values():
                writer.close()
            if kind is None and self._manifest is not None:
                _write_json(self._draft / "manifest.json", self._manifest)
                _write_json(self._draft / "timeline.json", {"traceEvents": self._timeline})
                self._draft.rename(self.path)
        except OSError as failure:
            raise self._complaint(failure) from failure
        finally:
            self._clear()

    def _clear(self) -> None:
        """Remove the draft where there is one, and the folders made for it that are empty."""
        shutil.rmtree(self._draft, ignore_errors=True)
        for folder in self._made:
            with suppress(OSError):  # the complete result lies in it
                folder.rmdir()

    def _complaint(self, error: OSError) -> ScenarioError:
        return ScenarioError(f"--out {self.path}: {error.strerror or error}")

    def _append(self, name: str, policy: str, table: pd.DataFrame) -> None:
        table = table.assign(policy=policy)
        columns = list(table.columns)
        schema = pa.schema([(column, _arrow_type(column)) for column in columns])
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(self._draft / f"{name}.parquet", schema)
        rows = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
        self._writers[name].write_table(rows)


_RECORDED = ("tessera", "simpy", "networkx", "numpy", "pandas", "pyarrow", "pydantic")


def _arrow_type(column: str) -> pa.DataType:
    if column in _NUMBERS:
        return pa.float64()
    if column in _INTEGERS:
        return pa.int64()
    return pa.bool_() if column in _FLAGS else pa.string()


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """Return the revision of the checkout that this file lies in, if it lies in one."""
    git = shutil.which("git")
    if git is None:
        return None
    found = subprocess.run(  # noqa: S603 - a fixed command
        [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip() or None
