"""What a run of a scenario under several policies came to, for people and for programs.

Simulated or real, the figures are the same ones and are shown the same way.
"""

from collections.abc import Callable
from math import isfinite, isnan
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from experiments.campaign import Campaign
from experiments.cli.holding import MOST_CLOUDS, held_by_any, holdings_table
from experiments.cli.notes import (
    comparisons_json,
    comparisons_table,
    estimate_json,
    notes,
    policy_json,
    until_json,
)
from experiments.cli.options import show
from experiments.comparison import compare
from experiments.sequential import Target
from experiments.statistics.estimates import BATCH_MEANS, Estimate
from experiments.verdict import CONFIDENCE, QUANTILE, Answer, judge
from sim.runner import AUTO
from workloads.catalogue import generates


def campaigns_json(name: str, campaigns: list[Campaign], target: Target | None) -> dict[str, Any]:
    """Return all figures as plain objects."""
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
                "held": campaign.held.reset_index().to_dict(orient="records"),
            }
            for campaign in campaigns
        ],
        "comparisons": comparisons_json(compare(campaigns)) if comparable else [],
    }


def print_campaigns(
    campaigns: list[Campaign], target: Target | None, out: Path | None, *, comparing: bool
) -> None:
    """Print what came out, and how far it can be relied on; ``out`` is where the results lie."""
    show(_summary(campaigns))
    show(*notes(campaigns, target))
    if comparing:
        show(comparisons_table(compare(campaigns), campaigns[0].scenario.deadline_s))
    made = generates(campaigns[0].scenario.workload.model)
    sights = holdings_table(campaigns) if made else _sights(campaigns)
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
    extra = _extra_columns(campaigns)
    table = Table(
        title=f"{scenario.name}: {scenario.workload.model.name}, {scenario.replications} x "
        f"{measured} requests, seed {scenario.seed}",
        caption=f"{_METHOD[scenario.replications > 1]} {extra.caption}",
    )
    table.add_column("policy", no_wrap=True)
    for name in ("p50 ms", "p99 ms", f"<= {deadline_ms:g} ms", "up MB", "down MB", "J", "mUSD",
                 *extra.names):  # fmt: skip
        table.add_column(name, justify="right")
    for campaign in campaigns:
        cells = (*_cells(campaign), *extra.cells(campaign))
        table.add_row(campaign.scenario.policy_name, *cells)
    return table


class _Columns(NamedTuple):
    """Columns that suit the kind of model: their names, cells and what the caption says of them."""

    names: tuple[str, ...]
    cells: Callable[[Campaign], tuple[str, ...]]
    caption: str


def _extra_columns(campaigns: list[Campaign]) -> _Columns:
    if not generates(campaigns[0].scenario.workload.model):
        return _LOOKING
    writes = any("tokens_per_s" in campaign.metrics for campaign in campaigns)
    return _WRITING if writes else _PAINTING


def _seen_cells(campaign: Campaign) -> tuple[str, ...]:
    metrics = campaign.metrics
    return (
        f"{metrics['pixels_max_node'].mean:.1%}",
        f"{metrics['pixels_max_pair'].mean:.1%}",
        "yes" if metrics["mixes"].mean else "no",
    )


def _token_cells(campaign: Campaign) -> tuple[str, ...]:
    held = held_by_any(campaign)
    if campaign.saturation or "tokens_per_s" not in campaign.metrics:
        return ("-", "-", "-", held)
    first, gap, rate = (
        campaign.metrics[name].mean for name in ("first_token_s", "token_gap_s", "tokens_per_s")
    )
    shown_gap = "-" if isnan(gap) else f"{gap * 1e3:.1f}"
    return (f"{first * 1e3:.0f}", shown_gap, f"{rate:.2f}", held)


_LOOKING = _Columns(
    ("pixels", "by two", "mixes"),
    _seen_cells,
    "pixels: largest part of one input that a cloud (any two clouds) received; mixes: tokens that "
    "encode other shards.",
)
_WRITING = _Columns(
    ("first ms", "gap ms", "tok/s", "clouds hold"),
    _token_cells,
    "first: until the first token is there; gap: from one to the next; tok/s: of one request.",
)
_PAINTING = _Columns(
    ("clouds hold",),
    lambda campaign: (held_by_any(campaign),),
    "clouds hold: what some cloud received or made, and its depth.",
)


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


def _sight(campaign: Campaign, cloud: str) -> str:
    if cloud not in campaign.seen.index:
        return "-"
    row = campaign.seen.loc[cloud]
    return f"{row['pixels']:.1%}{'*' if row['mixes'] else ''}"
