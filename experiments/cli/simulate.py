"""``tessera simulate``: one row per policy, and what each cloud got to see."""

import json
from contextlib import nullcontext
from typing import Annotated

import typer

from experiments.campaign import Campaign, Replications, run_campaign
from experiments.cli.chosen import choose
from experiments.cli.ending import command_line
from experiments.cli.options import (
    AsJson,
    OutFolder,
    PolicySpecs,
    ScenarioName,
    Settings,
    percentage,
    progress_bar,
)
from experiments.cli.summary import campaigns_json, print_campaigns
from experiments.results import ResultFolder
from experiments.sequential import LEAST, METRICS, MOST, Target, run_until
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from sim.runner import Scenario
from topologies.errors import suggestion

Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="[METRIC=]PERCENT",
        help="Run more replications until half the 95 % interval of p99, or of another metric "
        f"({', '.join(METRICS)}), is below this part of its mean, e.g. 5% or mean=2%.",
    ),
]
AtMost = Annotated[
    int | None,
    typer.Option(
        "--at-most",
        metavar="N",
        help=f"Replications at which --until gives up; default: {MOST}.",
    ),
]
Comparing = Annotated[
    bool,
    typer.Option("--compare", help="Compare every policy with the first, request by request."),
]


def simulate(  # noqa: PLR0913 - an option each
    context: typer.Context,
    scenario: ScenarioName,
    policy: PolicySpecs = None,
    settings: Settings = None,
    out: OutFolder = None,
    until: Until = None,
    at_most: AtMost = None,
    *,
    comparing: Comparing = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a scenario under one or more policies.

    Example: tessera simulate jetson-16-clouds --policy local --policy sharded/deferred
    """
    chosen = choose(scenario, policy, settings, out)
    document, folder = chosen.document, chosen.folder
    target = target_of(until, at_most, document.replications)
    if comparing:
        _check_comparable(chosen.specs, document.replications, target)
    with folder or nullcontext():
        campaigns = _run(chosen.scenarios, folder, target)
        if folder is not None:
            ran = document.model_copy(update={"replications": len(campaigns[0].replications)})
            about = {"command": command_line(context.obj)}
            folder.complete(chosen.name, ran.model_dump(mode="json"), chosen.specs, about)
    if as_json:
        print(json.dumps(campaigns_json(chosen.name, campaigns, target), indent=1))
    else:
        print_campaigns(campaigns, target, out, comparing=comparing)


def target_of(until: str | None, at_most: int | None, replications: int) -> Target | None:
    """Return what ``--until`` asks for; raise `ScenarioError` for what cannot be meant."""
    if until is None:
        if at_most is not None:
            raise ScenarioError(f"--at-most {at_most}: bounds --until; give that as well")
        return None
    metric, _, width = until.rpartition("=")
    target = Target(
        percentage(width, "--until"), metric or "p99", MOST if at_most is None else at_most
    )
    if target.metric not in METRICS:
        raise ScenarioError(
            f"--until {until!r}: no metric {metric!r}; {suggestion(metric, tuple(METRICS))}"
        )
    if target.most < max(LEAST, replications):
        raise ScenarioError(
            f"--at-most {target.most}: give at least {max(LEAST, replications)}, with which "
            "--until begins (see the scenario's replications)"
        )
    return target


def _check_comparable(specs: list[str], replications: int, target: Target | None) -> None:
    if len(specs) < 2:
        raise ScenarioError("--compare: give two policies or more, the first to compare with")
    if replications < 2 and target is None:
        raise ScenarioError("--compare: one replication shows no chance; --set replications=10")


def _run(
    scenarios: list[Scenario], folder: ResultFolder | None, target: Target | None
) -> list[Campaign]:
    if target is not None:
        policies = [Replications(scenario, Simulator(), folder) for scenario in scenarios]
        with progress_bar("simulating", target.most * len(scenarios)) as advance:
            return run_until(policies, target, advance)
    total = sum(scenario.replications for scenario in scenarios)
    with progress_bar("simulating", total) as advance:
        return [run_campaign(scenario, Simulator(), folder, advance) for scenario in scenarios]
