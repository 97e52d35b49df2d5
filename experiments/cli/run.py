"""``tessera run``: the same scenario for real, with workers instead of simulated nodes."""

import json
from collections import Counter
from contextlib import nullcontext
from math import isinf
from pathlib import Path
from typing import Annotated

import typer

from experiments.campaign import Campaign, run_campaign
from experiments.cli.options import (
    AsJson,
    OutFolder,
    PolicySpecs,
    ScenarioName,
    Settings,
    expand,
    progress_bar,
)
from experiments.cli.summary import campaigns_json, print_campaigns
from experiments.recording import Recording
from experiments.results import ResultFolder
from experiments.scenarios.loader import build, deployment, read_scenario, scenario_path
from experiments.workplaces import Links, open_runner
from sim.runner import Scenario

LinksOption = Annotated[
    Links,
    typer.Option(
        "--links",
        help="What connects the nodes: loopback (workers on this machine, unshaped), userspace "
        "(on this machine, over links as the topology says; as root) or external (workers that run "
        "elsewhere; see --inventory).",
    ),
]
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


def run(  # noqa: PLR0913 - an option each
    scenario: ScenarioName,
    links: LinksOption = Links.LOOPBACK,
    policy: PolicySpecs = None,
    settings: Settings = None,
    out: OutFolder = None,
    inventory: Inventory = None,
    credentials: CredentialsFolder = None,
    *,
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Run a scenario for real; exit status 0, or 1 where a request failed or it was refused.

    Example: tessera run small-sam --policy sharded/prefix --policy local
    """
    path = scenario_path(scenario)
    document = read_scenario(path, settings or [])
    specs = expand(policy or [document.policy])
    scenarios = [build(document, path, spec) for spec in specs]
    workers = deployment(document, path, scenarios[0].topology)
    folder = ResultFolder(out) if out else None
    with folder or nullcontext():
        with open_runner(
            links, workers, inventory=inventory, credentials=credentials, secure=not insecure
        ) as runner:
            recording = Recording(runner)
            campaigns = _run(scenarios, recording, folder)
            versions, certificate = runner.versions, runner.certificate
        about = {"links": links.value, "secure": not insecure, "workers": versions}
        if certificate is not None:
            about["certificate"] = certificate.document()
        if folder is not None:
            folder.complete(path.stem, document.model_dump(mode="json"), specs, about)
    failed = sum(_failed(campaign) for campaign in campaigns)
    kinds = Counter(incident.kind for incident in recording.incidents)
    if as_json:
        world = {"world": "real", **about, "failed": failed, "incidents": dict(kinds)}
        print(json.dumps(campaigns_json(path.stem, campaigns, None) | world, indent=1))
    else:
        print_campaigns(campaigns, None, out, comparing=False)
        _print_world(links, len(versions), failed, kinds)
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


def _print_world(links: Links, workers: int, failed: int, kinds: Counter[str]) -> None:
    print(f"For real: {workers} workers, {links.value} links, {links.caveat}")
    if kinds:
        told = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))
        print(f"Incidents: {told}")
    if failed:
        print(f"{failed} requests failed or were refused")
