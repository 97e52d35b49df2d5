"""``tessera sweep``: many scenarios that differ along axes, on every core or a cluster."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.cells import CellsFolder, Workers, cells_table, check_out
from experiments.cli.ending import command_line
from experiments.cli.options import (
    AsJson,
    PolicySpecs,
    ScenarioName,
    Settings,
    progress_bar,
    show,
)
from experiments.cli.plain import finite
from experiments.cli.simulate import AtMost, Until, target_of
from experiments.sequential import Target
from experiments.sweeps.engine import Engine
from sim.errors import ScenarioError

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 40
_NONE_DONE = 1


def sweep(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    scenario: ScenarioName,
    policy: PolicySpecs = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            "--axis",
            metavar="KEY=VALUE,…",
            help="A key of the scenario, as for --set, or one that a policy names in braces, as in "
            "sharded/deferred:clouds={clouds}; may be repeated.",
        ),
    ] = None,
    settings: Settings = None,
    out: CellsFolder = None,
    until: Until = None,
    at_most: AtMost = None,
    engine: Annotated[Engine, typer.Option(help="This machine's processors, or Ray.")] = "local",
    workers: Workers = 0,
    address: Annotated[
        str, typer.Option(help="A running Ray cluster's; default: one is started here.")
    ] = "",
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted sweep left in --out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate every combination of policies and of the values of axes.

    All cells see the same arrivals. A cell that fails is recorded with its error, and the others
    go on. Each row has the figures' means and 95 % intervals; DIR/*.parquet is read by pandas,
    DuckDB and their like. Exit status 1: no cell could be simulated.

    Example: tessera sweep jetson-16-clouds --policy 'sharded/deferred:clouds={clouds}'
    --axis clouds=1,2,4,8,16 --axis view_age=0s,100ms --out results/clouds
    """
    from experiments.parts import Parts  # noqa: PLC0415 - takes a while
    from experiments.sweeps.sweeping import Sweep  # noqa: PLC0415

    if address and engine != "ray":
        raise ScenarioError(f"--address {address}: is of a Ray cluster; give --engine ray, too")
    target = target_of(until, at_most, 1)
    asked = Sweep.of(scenario, policy or (), axis or (), settings or (), target)
    check_out(out, resume=resume)
    command = command_line(context.obj)
    with (
        Parts(out, asked.about(), command) as parts,
        progress_bar("sweeping", len(asked.cells)) as told,
    ):
        rows = asked.run(parts, engine, workers, address, told)
    if as_json:
        print(json.dumps(finite(rows.to_dict("records")), indent=1))
    else:
        _tell(rows, out, target)
    if (rows["error"] != "").all():
        raise typer.Exit(_NONE_DONE)


def _tell(rows: "pd.DataFrame", out: Path | None, target: Target | None) -> None:
    failed = rows[rows["error"] != ""]
    done = len(rows) - len(failed)
    axes = list(rows.columns[1 : list(rows.columns).index("error")])
    if len(rows) <= _MOST_ROWS and done:
        show(cells_table(rows[rows["error"] == ""], axes))
    print(f"{done} of {len(rows)} cells simulated" + (f", in {out}" if out else ""))
    if target is not None and done:
        print(_reached(rows[rows["error"] == ""], target))
    for _, row in failed.head(_MOST_ROWS).iterrows():
        where = ", ".join(f"{name}={row[name]}" for name in axes if row[name])
        print(f"failed: {where}: {row['error']}")


def _reached(rows: "pd.DataFrame", target: Target) -> str:
    """Say whether all intervals are as narrow as was asked for, and what that took."""
    wanted, runs = f"{target.metric} within ± {target.fraction * 100:g} %", rows["replications"]
    wide = len(rows) - int(rows["narrow"].sum())
    if not wide:
        return f"{wanted} in all cells, after {runs.min()} to {runs.max()} replications"
    bound = f"{target.most} replications, the bound"
    return f"{wanted} not reached in {wide} of {len(rows)} cells by {bound}; raise --at-most"
