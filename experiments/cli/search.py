"""``tessera search``: the parameters of a policy that serve a goal best, within limits."""

import json
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    import pandas as pd

    from experiments.searches.searching import Search

_MOST_ROWS = 10
_NONE_ALLOWED = 1


def search(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    scenario: ScenarioName,
    policy: PolicySpecs = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="KEY=VALUE,…|KEY=LEAST..MOST",
            help="What to search over: a key of the scenario, as for --set, or one that a policy "
            "names in braces; values, or a range of numbers; may be repeated.",
        ),
    ] = None,
    goal: Annotated[
        str, typer.Option("--goal", metavar="FIGURE", help="What is to be best, e.g. p99_s.")
    ] = "p99_s",
    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--subject-to",
            metavar="FIGURE<=NUMBER",
            help="What is to be kept, e.g. 'pixels<=10%' or 'deadline_met>=99%'; may be repeated.",
        ),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Different cells to try at most.")] = 40,
    settings: Settings = None,
    out: CellsFolder = None,
    until: Until = None,
    at_most: AtMost = None,
    workers: Workers = 0,
    *,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with what is in --out, for so many trials in all."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Search for the parameters of policies, or settings of a scenario, that serve a goal best.

    Optuna proposes cells, which are simulated as a sweep's are; all see the same arrivals. The best
    one is simulated once more on others. Exit status 1: nothing that was tried is allowed.

    Example: tessera search jetson-16-clouds --policy 'sharded/deferred:codec={codec},clouds={n}'
    --over codec=fp16,int8,int4 --over n=2..16 --goal p99_s --subject-to 'pixels<=20%'
    """
    from experiments.parts import Parts  # noqa: PLC0415 - takes a while
    from experiments.searches.dimensions import parse_dimension  # noqa: PLC0415
    from experiments.searches.goal import parse_goal, parse_limit  # noqa: PLC0415
    from experiments.searches.searching import Search  # noqa: PLC0415

    asked = Search.of(
        scenario,
        policy or (),
        [parse_dimension(each) for each in over or ()],
        parse_goal(goal),
        [parse_limit(each) for each in limits or ()],
        settings or (),
        target_of(until, at_most, 1),
    )
    about = asked.about()
    check_out(out, resume=resume)
    with Parts(out, about, command_line(context.obj)) as parts:
        with progress_bar("searching", trials) as told:
            rows = asked.run(parts, trials, workers, told)
        best = asked.best(rows)
        again = None if best is None else asked.unseen(best, parts)
        found = _found(asked, rows, best, again)
        parts.conclude("search", found)
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        _tell(asked, rows, best, again)
    if best is None:
        raise typer.Exit(_NONE_ALLOWED)


def _found(
    search: "Search",
    rows: "pd.DataFrame",
    best: "pd.Series[Any] | None",
    again: "pd.Series[Any] | None",
) -> dict[str, Any]:
    found = {
        "goal": search.goal.figure,
        "greatest": search.goal.greatest,
        "limits": [
            f"{each.figure} {'>=' if each.at_least else '<='} {each.bound:g}"
            for each in search.limits
        ],
        "axes": list(rows.columns[1 : list(rows.columns).index("error")]),
        "best": None if best is None else best.to_dict(),
        "unseen": None if again is None else again.to_dict(),
        "trials": rows.to_dict("records"),
    }
    told: dict[str, Any] = finite(found)
    return told


def _tell(
    search: "Search",
    rows: "pd.DataFrame",
    best: "pd.Series[Any] | None",
    again: "pd.Series[Any] | None",
) -> None:
    axes = list(rows.columns[1 : list(rows.columns).index("error")])
    print(f"{len(rows)} different cells tried, {int(rows['allowed'].sum())} of them allowed")
    for _, row in rows[rows["error"] != ""].head(_MOST_ROWS).iterrows():
        print(f"failed: {', '.join(f'{name}={row[name]}' for name in axes)}: {row['error']}")
    if best is None or again is None:
        print("None keeps all limits and has a steady state; allow for more, or search elsewhere")
        return
    show(cells_table(search.ranked(rows).head(_MOST_ROWS), axes))
    figure = search.goal.figure
    print(f"best {figure}: {_with_interval(best, figure)} with {best['policy']}")
    print(f"the same on other arrivals: {_with_interval(again, figure)}")


def _with_interval(row: "pd.Series[Any]", figure: str) -> str:
    if row["error"]:
        return str(row["error"])
    if f"{figure}_low" not in row:
        return f"{row[figure]:.4g}"
    return f"{row[figure]:.4g} ({row[f'{figure}_low']:.4g} to {row[f'{figure}_high']:.4g})"
