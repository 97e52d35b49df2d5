"""A sweep's folder read back: its cells as one table, and the axes along which they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd

from experiments.parts import ORDERS
from experiments.reports.kept import read_json
from experiments.scenarios.document import ScenarioDocument
from experiments.sweeps.axes import POLICY
from sim.errors import ScenarioError
from topologies.documents import parse

ANY: Final = ""
"""What an axis is set to in the cells of a policy to which it means nothing."""


_ALL: Final = "select * from read_parquet(?, union_by_name = true) order by cell"


_WHERE_DONE: Final = ("saturated", "deadline_s")


@dataclass(frozen=True)
class Swept:
    """A folder that ``tessera sweep --out`` wrote, complete or not.

    Raises `ScenarioError`, which names the file, where it is none or cannot be read.
    """

    folder: Path

    @cached_property
    def orders(self) -> Mapping[str, Any]:
        """What was to be simulated."""
        found: Mapping[str, Any] = read_json(self.folder / ORDERS)
        if not {"scenario", "cells"} <= found.keys():
            raise ScenarioError(f"{self.folder / ORDERS}: is not what tessera sweep wrote")
        return found

    @cached_property
    def document(self) -> ScenarioDocument:
        """The scenario, of which each cell changes something."""
        return parse(ScenarioDocument, self.orders["scenario"], str(self.folder / ORDERS))

    @property
    def wanted(self) -> int:
        """How many cells there are to be."""
        return len(self.orders["cells"])

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The cells that are done, in order; ``policy`` names its parameters that are axes."""
        files = str(self.folder / "cell-*.parquet")
        try:
            with duckdb.connect() as database:
                database.execute("set enable_progress_bar = false")
                found = database.execute(_ALL, [files]).df()
        except duckdb.Error as error:
            first = str(error).partition("\n")[0]
            raise ScenarioError(
                f"{files}: cannot be read ({first}); go on with the sweep by --resume"
            ) from error
        found["policy"] = families(found, self._keys)
        found["error"] = found["error"].fillna("")
        lacking = [name for name in _WHERE_DONE if name not in found]  # where every cell failed
        return found.reindex(columns=[*found, *lacking])

    @property
    def deadlines_s(self) -> list[float]:
        """The deadlines of the cells that are done, each once."""
        return [float(each) for each in self.cells["deadline_s"].dropna().unique()]

    @property
    def _keys(self) -> list[str]:
        return list(self.orders["cells"][0][1])

    @cached_property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """The axes along which cells differ, policies among them, with their values in order."""
        found = {
            name: tuple(value for value in dict.fromkeys(self.cells[name]) if value != ANY)
            for name in (*self._keys, POLICY)
        }
        return {name: values for name, values in found.items() if len(values) > 1}


def families(cells: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Return the policy of each cell as it was asked for, with the axes that it names in braces.

    A parameter whose values vary, and are those of an axis in every cell of that policy, is one.
    """
    parts = [_parts(policy) for policy in cells["policy"]]
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, (name, given) in enumerate(parts):
        alike.setdefault((name, *given), []).append(place)
    found = [str(policy) for policy in cells["policy"]]
    for (name, *parameters), places in alike.items():
        named = {}
        for parameter in parameters:
            values = [parts[place][1][parameter] for place in places]
            axis = next((key for key in keys if values == cells[key].iloc[places].tolist()), None)
            if axis is not None and len(set(values)) > 1:
                named[parameter] = f"{{{axis}}}"
        for place in places:
            said = ",".join(f"{key}={each}" for key, each in (parts[place][1] | named).items())
            found[place] = f"{name}:{said}" if said else name
    return found


def _parts(policy: str) -> tuple[str, dict[str, str]]:
    """Return a policy's name and its parameters.

    >>> _parts("sharded/exact:clouds=4,codec=int8")
    ('sharded/exact', {'clouds': '4', 'codec': 'int8'})
    """
    name, colon, last = policy.rpartition(":")
    if not colon or "=" not in last:
        return policy, {}
    return name, dict(each.split("=", 1) for each in last.split(","))
