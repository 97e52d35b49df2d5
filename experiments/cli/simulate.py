"""``tessera simulate``: one row per policy, and what each cloud got to see."""

import json
from contextlib import nullcontext
from math import isfinite, isnan
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from experiments.campaign import Campaign, Replications, run_campaign
from experiments.cli.notes import (
    comparisons_json,
    comparisons_table,
    estimate_json,
    notes,
    policy_json,
    until_json,
)
from experiments.cli.options import (
    AsJson,
    PolicySpecs,
    ScenarioName,
    Settings,
    percentage,
    progress_bar,
    show,
)
from experiments.comparison import compare
from experiments.results import ResultFolder
from experiments.scenarios.loader import build, read_scenario, scenario_path
from experiments.sequential import LEAST, METRICS, MOST, Target, run_until
from experiments.statistics.estimates import BATCH_MEANS, Estimate
from experiments.verdict import Answer, judge
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from sim.policies.registry import POLICIES
from sim.runner import AUTO, Scenario
from topologies.errors import suggestion

OutFolder = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write a result folder.")
]
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
    path = scenario_path(scenario)
    document = read_scenario(path, settings or [])
    specs = _expand(policy or [document.policy])
    target = _target(until, at_most, document.replications)
    if comparing:
        _check_comparable(specs, document.replications, target)
    scenarios = [build(document, path, spec) for spec in specs]
    folder = ResultFolder(out) if out else None
    with folder or nullcontext():
        campaigns = _run(scenarios, folder, target)
        if folder is not None:
            ran = document.model_copy(update={"replications": len(campaigns[0].replications)})
            folder.complete(path.stem, ran.model_dump(mode="json"), specs)
    if as_json:
        print(json.dumps(_as_json(path.stem, campaigns, target), indent=1))
    else:
        _print(campaigns, target, out, comparing=comparing)


def _expand(specs: list[str]) -> list[str]:
    named = [name for spec in specs for name in (POLICIES if spec == "all" else (spec,))]
    return list(dict.fromkeys(named))


def _target(until: str | None, at_most: int | None, replications: int) -> Target | None:
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


def _as_json(name: str, campaigns: list[Campaign], target: Target | None) -> dict[str, Any]:
    first = campaigns[0].scenario
    comparable = len(campaigns) > 1 and first.replications > 1
    return {
        "scenario": name,
        "topology": first.topology.name,
        "model": first.workload.model.name,
        "deadline_s": first.deadline_s,
        "seed": first.seed,
        "replications": first.replications,
        "until": until_json(campaigns, target) if target else None,
        "policies": [
            {
                "policy": campaign.scenario.policy_name,
                **policy_json(campaign),
                "metrics": {key: estimate_json(each) for key, each in campaign.metrics.items()},
                "utilisation": {key: value.mean for key, value in campaign.utilisation.items()},
                "seen": campaign.seen.reset_index().to_dict(orient="records"),
            }
            for campaign in campaigns
        ],
        "comparisons": comparisons_json(compare(campaigns)) if comparable else [],
    }


def _print(
    campaigns: list[Campaign], target: Target | None, out: Path | None, *, comparing: bool
) -> None:
    show(_summary(campaigns))
    show(*notes(campaigns, target))
    if comparing:
        show(comparisons_table(compare(campaigns), campaigns[0].scenario.deadline_s))
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
        verdict = judge(campaign.latencies_s, deadline_s, QUANTILE, CONFIDENCE, campaign.saturation)
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
    given = 0 if scenario.warm_up == AUTO else scenario.warm_up
    measured = scenario.workload.requests - given
    table = Table(
        title=f"{scenario.name}: {scenario.workload.model.name}, {scenario.replications} x "
        f"{measured} requests, seed {scenario.seed}",
        caption=f"{_METHOD[scenario.replications > 1]} pixels: largest part of one "
        "input that a cloud (any two clouds) received; mixes: tokens that encode other shards.",
    )
    table.add_column("policy", no_wrap=True)
    for name in ("p50 ms", "p99 ms", f"<= {deadline_ms:g} ms", "up MB", "down MB", "J", "mUSD",
                 "pixels", "by two", "mixes"):  # fmt: skip
        table.add_column(name, justify="right")
    for campaign in campaigns:
        table.add_row(campaign.scenario.policy_name, *_cells(campaign))
    return table


_METHOD = {
    True: "Means over replications, ± half a 95 % interval.",
    False: "One replication; 95 % intervals by batch means, where it is long enough.",
}


def _cells(campaign: Campaign) -> list[str]:
    metrics = campaign.metrics
    latencies = [
        f"{metrics['p50_s'].mean * 1e3:.0f}",
        _with_margin(metrics["p99_s"]),
        f"{metrics['deadline_met'].mean:.1%}",
    ]
    return [
        *(["-", "saturated", "-"] if campaign.saturation else latencies),
        f"{metrics['bytes_up'].mean / 1e6:.2f}",
        f"{metrics['bytes_down'].mean / 1e6:.2f}",
        f"{metrics['energy_j'].mean:.1f}",
        f"{metrics['cost_usd'].mean * 1e3:.2f}",
        f"{metrics['pixels_max_node'].mean:.1%}",
        f"{metrics['pixels_max_pair'].mean:.1%}",
        "yes" if metrics["mixes"].mean else "no",
    ]


def _with_margin(value: Estimate) -> str:
    mean, low, high = (f"{part * 1e3:.0f}" for part in (value.mean, value.low, value.high))
    if isnan(value.low):
        return mean
    if value.method == BATCH_MEANS:
        return f"{mean} ({low} to {high})" if isfinite(value.high) else f"{mean} ({low} or more)"
    return f"{mean} ± {value.half_width * 1e3:.0f}"


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
