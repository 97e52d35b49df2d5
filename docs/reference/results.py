"""Result folders: their tables, columns and units."""

from collections.abc import Callable, Iterable
from typing import Any

from reference.prose import code, table, told
from sim.ledger import INCIDENT_COLUMNS, LINK_COLUMNS, NODE_COLUMNS, Ledger
from sim.tables import (
    EXPOSURE_COLUMNS,
    HOLDING_COLUMNS,
    REQUEST_COLUMNS,
    STEP_COLUMNS,
    Tables,
)
from sim.trace import Incident

_OPENING = """# Result folders

`--out DIR` writes a folder, whole or not at all, in one schema for simulated and real runs
(`world` says which: `sim` or `real`), so that comparing them is a join. Tables are Parquet:
pandas, DuckDB and their like read them. Each has the column `policy` besides. How to use them:
[Read results and reports](../how-to/reports.md).

| file | |
|---|---|
| `manifest.json` | the scenario as run, versions, revision, host, certificate, dilation, totals |
| `topology.yaml` | the world as it was |
| `timeline.json` | the first requests of each policy, to open in Perfetto |
| `report.html` | what `tessera report` made of it |
"""

_TABLES: tuple[tuple[str, tuple[str, ...], Callable[..., Any] | type], ...] = (
    ("requests", REQUEST_COLUMNS, Tables.requests),
    ("steps", STEP_COLUMNS, Tables.steps),
    ("exposure", EXPOSURE_COLUMNS, Tables.exposure),
    ("holdings", HOLDING_COLUMNS, Tables.holdings),
    ("nodes", NODE_COLUMNS, Ledger.nodes),
    ("links", LINK_COLUMNS, Ledger.links),
    ("incidents", INCIDENT_COLUMNS, Incident),
)
_UNITS = {
    "_s": "seconds", "_j": "joules", "_usd": "USD", "_g": "grams of CO₂", "_w": "watts",
    "bytes": "bytes", "bytes_up": "bytes", "bytes_down": "bytes", "flops": "operations",
    "tokens": "tokens", "utilisation": "fraction of capacity", "pixels": "fraction of the input",
    "pixels_max_node": "fraction of the input", "pixels_max_pair": "fraction of the input",
}  # fmt: skip


def page() -> str:
    """Return the page: a section per table."""
    return "\n".join([_OPENING, *(_section(*each) for each in _TABLES)])


def _section(name: str, columns: Iterable[str], source: Callable[..., Any] | type) -> str:
    rows = ((code(column), _unit(column)) for column in columns)
    return f"## {name}.parquet\n\n{told(source.__doc__)}\n\n{table(('column', 'unit'), rows)}"


def _unit(column: str) -> str:
    ending = f"_{column.rpartition('_')[2]}"
    return _UNITS.get(column, _UNITS.get(ending, ""))
