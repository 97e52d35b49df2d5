"""``tessera simulate``: one row per policy, and what each cloud got to see."""

import json
from contextlib import nullcontext
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from experiments.campaign import Campaign, run_campaign
from experiments.cli.options import (
    AsJson,
    PolicySpecs,
    ScenarioName,
    Settings,
    progress_bar,
    show,
)
from experiments.metrics import Estimate
from experiments.results import ResultFolder
from experiments.scenarios.loader import build, read_scenario, scenario_path
from experiments.verdict import Answer, judge
from sim.engine.simulator import Simulator
from sim.policies.registry import POLICIES
from sim.runner import Scenario

OutFolder = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write a result folder.")
]


def simulate(
    scenario: ScenarioName,
    policy: PolicySpecs = None,
    settings: Settings = None,
    out: OutFolder = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Simulate a scenario under one or more policies.

    Example: tessera simulate jetson-16-clouds --policy local --policy sharded/deferred
    """
    path = scenario_path(scenario)
    document = read_scenario(path, settings or [])
    specs = _expand(policy or [document.policy])
    scenarios = [build(document, path, spec) for spec in specs]
    folder = ResultFolder(out) if out else None
    with folder or nullcontext():
        campaigns = _run(scenarios, folder)
        if folder is not None:
            folder.complete(path.stem, document.model_dump(mode="json"), specs)
    if as_json:
        print(json.dumps(_as_json(path.stem, campaigns), indent=1))
    else:
        _print(campaigns, out)


def _expand(specs: list[str]) -> list[str]:
    named = [name for spec in specs for name in (POLICIES if spec == "all" else (spec,))]
    return list(dict.fromkeys(named))


def _run(scenarios: list[Scenario], folder: ResultFolder | None) -> list[Campaign]:
    total = sum(scenario.replications for scenario in scenarios)
    with progress_bar("simulating", total) as advance:
        return [run_campaign(scenario, Simulator(), folder, advance) for scenario in scenarios]


def _as_json(name: str, campaigns: list[Campaign]) -> dict[str, Any]:
    first = campaigns[0].scenario
    return {
        "scenario": name,
        "topology": first.topology.name,
        "model": first.workload.model.name,
        "deadline_s": first.deadline_s,
        "seed": first.seed,
        "replications": first.replications,
        "policies": [
            {
                "policy": campaign.scenario.policy_name,
                "metrics": {key: _plain(value) for key, value in campaign.metrics.items()},
                "utilisation": {key: value.mean for key, value in campaign.utilisation.items()},
                "seen": campaign.seen.reset_index().to_dict(orient="records"),
            }
            for campaign in campaigns
        ],
    }


def _plain(value: Estimate) -> dict[str, float | None]:
    """Return an estimate for JSON, which knows no NaN."""
    bounds = {"mean": value.mean, "low": value.low, "high": value.high}
    return {key: None if isnan(bound) else bound for key, bound in bounds.items()}


def _print(campaigns: list[Campaign], out: Path | None) -> None:
    show(_summary(campaigns))
    sights = _sights(campaigns)
    if sights is not None:
        show(sights)
    show(_verdicts(campaigns))
    if out is not None:
        show(f"Results are in {out}")


def _verdicts(campaigns: list[Campaign]) -> str:
    """Say which policies keep the 99th percentile within the deadline, as ``budget`` judges."""
    deadline_s = campaigns[0].scenario.deadline_s
    found: dict[Answer, list[str]] = {answer: [] for answer in Answer}
    for campaign in campaigns:
        verdict = judge(campaign.latencies_s, deadline_s, QUANTILE, CONFIDENCE)
        found[verdict.answer].append(campaign.scenario.policy_name)
    lines = [f"{deadline_s * 1e3:g} ms at quantile {QUANTILE:g}, with {CONFIDENCE:.0%} confidence"]
    lines += [f"  {_WORDS[answer]}: {', '.join(names)}" for answer, names in found.items() if names]
    return "\n".join(lines)


QUANTILE, CONFIDENCE = 0.99, 0.95
_WORDS = {
    Answer.HOLDS: "holds under",
    Answer.MISSED: "does not hold under",
    Answer.UNDECIDED: "too few samples to say under",
}


def _summary(campaigns: list[Campaign]) -> Table:
    scenario = campaigns[0].scenario
    deadline_ms = scenario.deadline_s * 1e3
    measured = scenario.workload.requests - scenario.warm_up
    table = Table(
        title=f"{scenario.name}: {scenario.workload.model.name}, {scenario.replications} x "
        f"{measured} requests, seed {scenario.seed}",
        caption="Means over replications, ± half a 95 % interval. pixels: largest part of one "
        "input that a cloud (any two clouds) received; mixes: tokens that encode other shards.",
    )
    table.add_column("policy", no_wrap=True)
    for name in ("p50 ms", "p99 ms", f"<= {deadline_ms:g} ms", "up MB", "down MB", "J", "mUSD",
                 "pixels", "by two", "mixes"):  # fmt: skip
        table.add_column(name, justify="right")
    for campaign in campaigns:
        table.add_row(campaign.scenario.policy_name, *_cells(campaign.metrics))
    return table


def _cells(metrics: dict[str, Estimate]) -> list[str]:
    return [
        f"{metrics['p50_s'].mean * 1e3:.0f}",
        _with_margin(metrics["p99_s"]),
        f"{metrics['deadline_met'].mean:.1%}",
        f"{metrics['bytes_up'].mean / 1e6:.2f}",
        f"{metrics['bytes_down'].mean / 1e6:.2f}",
        f"{metrics['energy_j'].mean:.1f}",
        f"{metrics['cost_usd'].mean * 1e3:.2f}",
        f"{metrics['pixels_max_node'].mean:.1%}",
        f"{metrics['pixels_max_pair'].mean:.1%}",
        "yes" if metrics["mixes"].mean else "no",
    ]


def _with_margin(value: Estimate) -> str:
    margin_ms = value.half_width * 1e3
    mean = f"{value.mean * 1e3:.0f}"
    return mean if isnan(margin_ms) else f"{mean} ± {margin_ms:.0f}"


def _sights(campaigns: list[Campaign]) -> Table | None:
    """Tabulate what each cloud received; none where nobody saw anything or there are too many."""
    clouds = campaigns[0].scenario.topology.clouds
    showing = [campaign for campaign in campaigns if not campaign.seen.empty]
    if len(clouds) > MOST_CLOUDS or not showing:
        return None
    table = Table(title="Largest part of one input that each cloud received (* and mixtures)")
    table.add_column("cloud", no_wrap=True)
    table.add_column("device")
    for campaign in showing:
        name = campaign.scenario.policy_name.replace("/", "/\n").replace(":", ":\n")
        table.add_column(name, justify="right", overflow="fold")
    for cloud in clouds:
        seen = [_sight(campaign, cloud.name) for campaign in showing]
        table.add_row(cloud.name, cloud.device.name if cloud.device else "", *seen)
    return table


MOST_CLOUDS = 24


def _sight(campaign: Campaign, cloud: str) -> str:
    if cloud not in campaign.seen.index:
        return "-"
    row = campaign.seen.loc[cloud]
    return f"{row['pixels']:.1%}{'*' if row['mixes'] else ''}"
