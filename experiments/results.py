"""Result folders: written whole or not at all, in one schema for every runner.

A folder grows beside its final place under a name of its own and is renamed when it is complete,
so an interrupted or failed run leaves nothing that could be taken for a result. Tables arrive in
chunks and are written as they come: a long run needs no more memory than a short one.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isnan
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.program import program
from experiments.timeline import Event, first_requests, timeline_events
from sim.errors import ScenarioError
from sim.ledger import TOTALS, Ledger
from sim.tables import Tables
from sim.trace import Trace
from topologies.documents import DocumentError
from topologies.files import write_topology
from topologies.topology import Topology

_NUMBERS = {"queued_s", "start_s", "end_s", "bytes", "flops", "energy_j", "arrival_s", "latency_s",
            "bytes_up", "bytes_down", "cost_usd", "carbon_g", "pixels", "pixels_max_node",
            "pixels_max_pair", "busy_s", "idle_s", "off_s", "utilisation", "energy_busy_j",
            "energy_idle_j", "at_s", "first_token_s", "token_gap_s"}  # fmt: skip
_INTEGERS = {"request", "replication", "attempt", "step", "slots", "tokens", "depth_least",
             "depth_most"}  # fmt: skip
_FLAGS = {"critical", "mixes"}


TIMELINE: Final = "timeline.json"
TOPOLOGY: Final = "topology.yaml"
"""The world that a run had: what its scenario names may have changed since, or be elsewhere."""

_NOTHING_MORE: Mapping[str, Any] = MappingProxyType({})


class ResultFolder:
    """A folder of results in the making; use it in a ``with`` statement.

    Raises `ScenarioError` where ``path`` exists already or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._draft = path.parent / f".{path.name}.{os.getpid()}.partial"
        self._made: list[Path] = []
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._drawn: dict[str, list[pd.DataFrame]] = {}
        self._totals: dict[str, list[dict[str, float]]] = {}
        self._worlds: dict[str, None] = {}
        self._topology: Topology | None = None
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
        """Append the tables of one replication under ``policy``, or those of its next chunk."""
        self._worlds[tables.world] = None
        self._append("requests", policy, tables.requests())
        self._append("exposure", policy, tables.exposure())
        self._append("holdings", policy, tables.holdings())
        steps = tables.steps()
        self._append("steps", policy, steps)
        if replication == 0:
            self._drawn.setdefault(policy, []).append(first_requests(steps))

    def add_books(self, policy: str, ledger: Ledger, trace: Trace) -> None:
        """Append the books of one replication under ``policy``, all of its chunks added."""
        self._topology = trace.topology
        self._append("nodes", policy, ledger.nodes(trace))
        self._append("links", policy, ledger.links(trace))
        self._append("incidents", policy, ledger.incidents(trace))
        self._totals.setdefault(policy, []).append(ledger.totals(trace))

    def complete(
        self,
        name: str,
        scenario: Mapping[str, Any],
        policies: Sequence[str],
        about: Mapping[str, Any] = _NOTHING_MORE,
    ) -> None:
        """Say that everything has been added; without it leaving the ``with`` discards all.

        ``about`` is what else the manifest is to tell of the run.
        """
        self._manifest = {
            "name": name,
            "scenario": scenario,
            "policies": list(policies),
            "world": "+".join(self._worlds),
            "dilation": 1,
            "link_certificate": None,
            **about,
            **program(),
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
                manifest = {**self._manifest, "totals": self._summed()}
                _write_json(self._draft / "manifest.json", manifest)
                _write_json(self._draft / TIMELINE, {"traceEvents": self._events()})
                if self._topology is not None:
                    write_topology(self._topology, self._draft / TOPOLOGY)
                self._draft.rename(self.path)
        except OSError as failure:
            raise self._complaint(failure) from failure
        except DocumentError as failure:
            raise ScenarioError(f"--out {self.path}: {failure}") from failure
        finally:
            self._clear()

    def _summed(self) -> dict[str, dict[str, float | None]]:
        """Return per policy the totals of all replications; JSON knows no NaN."""
        return {policy: _sums(rows) for policy, rows in self._totals.items()}

    def _events(self) -> list[Event]:
        pieces = enumerate(self._drawn.items(), start=1)
        return [
            event
            for process, (policy, drawn) in pieces
            for event in timeline_events(pd.concat(drawn), policy, process)
        ]

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


def _sums(rows: Sequence[Mapping[str, float]]) -> dict[str, float | None]:
    sums = {key: sum(row[key] for row in rows) for key in TOTALS}
    return {key: None if isnan(total) else total for key, total in sums.items()}


def _arrow_type(column: str) -> pa.DataType:
    if column in _NUMBERS:
        return pa.float64()
    if column in _INTEGERS:
        return pa.int64()
    return pa.bool_() if column in _FLAGS else pa.string()


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
