"""Cells of sweeps and searches on the command line: where they are kept, and how they are told."""

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sim.errors import ScenarioError

if TYPE_CHECKING:
    import pandas as pd

CellsFolder = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Keep each cell there as soon as it is done."),
]
Workers = Annotated[int, typer.Option(min=0, help="Cells at once; 0: one per processor.")]


def check_out(out: Path | None, *, resume: bool) -> None:
    """Refuse to write over results, or to go on with what is not there."""
    there = out is not None and out.is_dir() and any(out.iterdir())
    if resume and not there:
        raise ScenarioError(f"--resume: {out or 'without --out'} holds nothing to go on with")
    if there and not resume:
        raise ScenarioError(f"--out {out}: holds results already; add --resume to go on with them")


def cells_table(rows: "pd.DataFrame", axes: list[str]) -> Table:
    """Tabulate the figures of cells that were simulated, and where they lie."""
    table = Table(caption="Means over replications, ± half a 95 % interval.")
    for name in axes:
        table.add_column(name)
    for name in ("p50 ms", "p99 ms", "deadline met", "pixels", "mUSD"):
        table.add_column(name, justify="right")
    for _, row in rows.iterrows():
        others = f"{row['pixels']:.1%}", f"{row['cost_usd'] * 1e3:.2f}"
        table.add_row(*(str(row[name]) for name in axes), *_latencies(row), *others)
    return table


def _latencies(row: "pd.Series[Any]") -> tuple[str, str, str]:
    """Return median, 99th percentile and deadlines met; none where there is no steady state."""
    if row["saturated"]:
        return "-", "saturated", "-"
    half_ms = (row["p99_s_high"] - row["p99_s_low"]) / 2 * 1e3
    near = "" if isnan(half_ms) else f" ± {half_ms:.0f}"
    return (
        f"{row['p50_s'] * 1e3:.0f}",
        f"{row['p99_s'] * 1e3:.0f}{near}",
        (f"{row['deadline_met']:.1%}"),
    )
