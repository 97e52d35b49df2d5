"""One request of a user's own after another, in the world of a scenario: for `chat` and `paint`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from experiments.cli.holding import named
from experiments.scenarios.loader import build, deployment, read_scenario, scenario_path
from real_runner.deployment import Deployment
from real_runner.errors import RealRunError
from sim.runner import Scenario
from sim.tables import Tables
from sim.trace import FINISHED, Trace

WeightsFolder = Annotated[
    Path | None, typer.Option("--weights", metavar="FOLDER", help="Your own; else drawn ones.")
]
TopologyName = Annotated[
    str | None, typer.Option("--topology", help="Another than the scenario's: a name, or a file.")
]
SeedOption = Annotated[int, typer.Option(min=0, max=2**64 - 1, help="The same: the same answer.")]
ONE_BY_ONE = (
    "replications=1",
    "warm_up=0",
    "workload.requests=1",
    "workload.arrivals={kind: closed, clients: 1}",
    "real.default.executor=torch",
    "real.default.pace=native",
)
"""What is changed of any scenario: one request, computed as fast as this machine can."""


class World(NamedTuple):
    """A scenario of one request, and how its nodes are made real."""

    scenario: Scenario
    deployment: Deployment


def world_of(
    scenario: str,
    topology: str | None,
    weights: Path | None,
    policy: str,
    settings: Sequence[str],
) -> World:
    """Return the world that options name; ``settings`` change the scenario last.

    Raises what users' mistakes raise.
    """
    given = []
    if weights is not None:
        if not weights.is_dir():
            raise RealRunError(f"--weights {weights}: there is no such folder")
        given.append(setting("real.weights", str(weights.resolve())))
    if topology is not None:
        is_file = topology.endswith((".yaml", ".yml", ".json"))
        given.append(setting("topology", str(Path(topology).resolve()) if is_file else topology))
    path = scenario_path(scenario)
    document = read_scenario(path, (*ONE_BY_ONE, *given, *settings))
    made = build(document, path, policy)
    return World(made, deployment(document, path, made.topology))


def setting(key: str, value: object) -> str:
    """Return what ``--set`` would be told.

    >>> setting("real.weights", "C: #1")
    'real.weights="C: #1"'
    """
    return f"{key}={json.dumps(value)}"


def typed(text: str) -> str:
    """Return what a user typed as text that can be encoded; what is none of it shows as ``?``."""
    return text.encode(errors="replace").decode()


def finished(trace: Trace) -> Tables:
    """Return the tables of a run of one request; `RealRunError` where it has no answer."""
    (outcome,) = trace.outcomes
    if outcome.outcome != FINISHED:
        raise RealRunError(f"no answer, the request {outcome.outcome}: {outcome.reason}")
    return Tables(trace)


def held(tables: Tables) -> str:
    """Return what each cloud held of the request."""
    clouds = [
        f"{node} held {', '.join(named(str(row['tensor']), row) for _, row in rows.iterrows())}"
        for node, rows in tables.holdings().groupby("node", sort=False)
    ]
    return "; ".join(clouds) or "no cloud held anything"


def note(line: str) -> None:
    """Tell something that is no answer: dim, on standard error."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(line, style="dim", markup=False)
