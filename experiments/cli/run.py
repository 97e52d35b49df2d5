"""``tessera run``: the same scenario for real, with workers instead of simulated nodes."""

import json
from collections import Counter
from contextlib import nullcontext
from math import isinf
from pathlib import Path
from typing import Annotated

import typer

from experiments.campaign import Campaign, run_campaign
from experiments.cli.certificate import print_certificate
from experiments.cli.chosen import choose
from experiments.cli.dilating import DilationOption, settle_dilation
from experiments.cli.ending import command_line
from experiments.cli.inside import InsideOption, LinksOption, MemoryOption, settle
from experiments.cli.options import (
    AsJson,
    OutFolder,
    PolicySpecs,
    ScenarioName,
    Settings,
    progress_bar,
)
from experiments.cli.summary import campaigns_json, print_campaigns
from experiments.inside.means import NEEDS
from experiments.recording import Recording
from experiments.results import ResultFolder
from experiments.scenarios.loader import deployment
from experiments.workplaces import Links, open_runner
from real_runner.errors import RealRunError
from sim.runner import Scenario

Inventory = Annotated[
    Path | None,
    typer.Option(
        "--inventory", metavar="FILE", help="Where external workers listen: node to HOST:PORT."
    ),
]
CredentialsFolder = Annotated[
    Path | None,
    typer.Option(
        "--credentials", metavar="DIR", help="What 'tessera credentials' made, for external links."
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Without TLS: nothing is encrypted, nobody is checked.")
]


def run(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    scenario: ScenarioName,
    links: LinksOption = Links.LOOPBACK.value,
    dilation: DilationOption = "1",
    policy: PolicySpecs = None,
    settings: Settings = None,
    out: OutFolder = None,
    inventory: Inventory = None,
    credentials: CredentialsFolder = None,
    inside: InsideOption = None,
    memory: MemoryOption = None,
    *,
    insecure: Insecure = False,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="Print what the emulated links were.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a scenario for real; exit status 0, or 1 where a request failed or it was refused.

    Example: tessera run small-sam --policy sharded/prefix --policy local
    """
    kind = settle(context.obj, links, inside, memory)
    if certificate and kind.value not in NEEDS:
        raise RealRunError(
            f"--certificate: {kind.value} links have none; choose others with --links auto"
        )
    chosen = choose(scenario, policy, settings, out)
    folder = chosen.folder
    workers = deployment(chosen.document, chosen.path, chosen.scenarios[0].topology)
    with folder or nullcontext():
        factor = settle_dilation(
            dilation, chosen.scenarios, workers, kind, secure=not insecure, quiet=as_json
        )
        with open_runner(
            kind,
            workers,
            inventory=inventory,
            credentials=credentials,
            secure=not insecure,
            dilation=factor,
        ) as runner:
            recording = Recording(runner)
            campaigns = _run(chosen.scenarios, recording, folder)
            versions, measured = runner.versions, runner.certificate
            awake = runner.is_awake
        about = {
            "command": command_line(context.obj),
            "links": kind.value,
            "dilation": factor,
            "secure": not insecure,
            "workers": versions,
            "processors_kept_awake": awake,
        }
        if measured is not None:
            about["link_certificate"] = measured.document()
        if folder is not None:
            folder.complete(
                chosen.name, chosen.document.model_dump(mode="json"), chosen.specs, about
            )
    failed = sum(_failed(campaign) for campaign in campaigns)
    kinds = Counter(incident.kind for incident in recording.incidents)
    if as_json:
        world = {"world": "real", **about, "failed": failed, "incidents": dict(kinds)}
        print(json.dumps(campaigns_json(chosen.name, campaigns, None) | world, indent=1))
    else:
        print_campaigns(campaigns, None, out, comparing=False)
        _print_world(kind, factor, len(versions), failed, kinds)
        if certificate and measured is not None:
            print_certificate(measured.document())
    if failed:
        raise typer.Exit(1)


def _run(
    scenarios: list[Scenario], runner: Recording, folder: ResultFolder | None
) -> list[Campaign]:
    total = sum(scenario.replications for scenario in scenarios)
    with progress_bar("running for real", total) as advance:
        return [run_campaign(scenario, runner, folder, advance) for scenario in scenarios]


def _failed(campaign: Campaign) -> int:
    return sum(isinf(latency_s) for each in campaign.latencies_s for latency_s in each)


def _print_world(
    links: Links, dilation: float, workers: int, failed: int, kinds: Counter[str]
) -> None:
    print(f"For real: {workers} workers, {links.value} links, {links.caveat}")
    if dilation != 1:
        print(f"Dilated: everything lasted {dilation:g} times as long, and times are divided by it")
    if kinds:
        told = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))
        print(f"Incidents: {told}")
    if failed:
        print(f"{failed} requests failed or were refused")
