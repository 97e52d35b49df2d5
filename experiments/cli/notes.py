"""What ``tessera simulate`` says beside its table: how far its figures can be relied on."""

from collections.abc import Iterator, Sequence
from math import isfinite, isnan
from typing import Any

from rich.table import Table

from experiments.campaign import Campaign
from experiments.cli.plain import number
from experiments.comparison import Comparison, Difference
from experiments.sequential import Target
from experiments.statistics.estimates import Estimate
from sim.runner import AUTO


def notes(campaigns: Sequence[Campaign], target: Target | None) -> Iterator[str]:
    """Yield one line for each thing that a reader of the figures must know."""
    for campaign in campaigns:
        if campaign.saturation:
            yield (
                f"{campaign.scenario.policy_name}: saturated, no steady state: "
                f"{campaign.saturation.reason}"
            )
    if campaigns[0].scenario.warm_up == AUTO:
        yield "Warm-up left out of each replication, by MSER-5: " + ", ".join(
            _warm_up(campaign) for campaign in campaigns
        )
    for campaign in campaigns:
        if campaign.batches is not None and campaign.batches.correlated:
            yield (
                f"{campaign.scenario.policy_name}: batches of {campaign.batches.size} requests are "
                f"still correlated ({campaign.batches.lag_1:.2f}), so intervals may be too narrow; "
                "use --set workload.requests=… or replications=…"
            )
    if target is not None:
        yield _until(campaigns, target)


def _warm_up(campaign: Campaign) -> str:
    found = campaign.warm_up
    line = f"{campaign.scenario.policy_name} {found.requests} requests"
    return line if found.found else f"{line} (no end of the transient found: run longer)"


def _until(campaigns: Sequence[Campaign], target: Target) -> str:
    count = campaigns[0].scenario.replications
    short = [campaign for campaign in campaigns if not target.met_by(campaign)]
    wanted = f"{target.metric} within ± {target.fraction * 100:g} %"
    if not short:
        return f"{wanted} after {count} replications"
    widths = ", ".join(
        f"± {width:.1%} under {each.scenario.policy_name}"
        if isfinite(width := target.width(each))
        else f"no interval under {each.scenario.policy_name}"
        for each in short
    )
    return f"{wanted} not reached in {count} replications, the bound: {widths}; raise --at-most"


def comparisons_table(comparisons: Sequence[Comparison], deadline_s: float) -> Table:
    """Tabulate each policy's differences from the first."""
    table = Table(
        title=f"Difference from {comparisons[0].reference}, on the same requests",
        caption="Mean of paired differences, ± half a 95 % interval. * differs at 5 %, all these "
        "comparisons taken together (Holm); the verdict goes by it.",
    )
    table.add_column("policy", no_wrap=True)
    for name in ("p50 ms", "p99 ms", f"<= {deadline_s * 1e3:g} ms"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for comparison in comparisons:
        found = comparison.differences
        cells = [
            _difference(found["p50_s"], 1e3, 0),
            _difference(found["p99_s"], 1e3, 0),
            _difference(found["deadline_met"], 100, 1, "%"),
        ] if found else ["-"] * 3  # fmt: skip
        table.add_row(comparison.policy, *cells, comparison.verdict)
    return table


def _difference(difference: Difference, scale: float, digits: int, unit: str = "") -> str:
    value = difference.estimate
    if isnan(value.mean):
        return "-"
    margin = f" ± {value.half_width * scale:.{digits}f}" if isfinite(value.half_width) else ""
    return f"{value.mean * scale:+.{digits}f}{unit}{margin}{'*' if difference.shown else ''}"


def policy_json(campaign: Campaign) -> dict[str, Any]:
    """Return how a policy's figures came about, for JSON."""
    return {
        "warm_up": {
            "requests": campaign.warm_up.requests,
            "method": "mser-5" if campaign.scenario.warm_up == AUTO else "given",
            "found": campaign.warm_up.found,
        },
        "saturation": saturation_json(campaign),
        "intervals": _intervals(campaign),
    }


def saturation_json(campaign: Campaign) -> dict[str, Any]:
    """Return whether there is a steady state, for JSON."""
    found = campaign.saturation
    return {
        "saturated": bool(found),
        "busiest": found.busiest or None,
        "load": number(found.load),
        "growth_per_request": number(found.growth),
        "reason": found.reason or None,
    }


def _intervals(campaign: Campaign) -> dict[str, Any]:
    """Say what intervals came from; of batches, how the series of latencies was cut."""
    if len(campaign.replications) > 1:
        return {"method": "replications"}
    cut = campaign.batches
    if cut is None:
        return {"method": None}
    return {
        "method": "batch means",
        "batches": len(cut.means),
        "batch_size": cut.size,
        "lag_1": cut.lag_1,
        "correlated": cut.correlated,
    }


def comparisons_json(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Return comparisons for JSON; ``p`` is adjusted after Holm."""
    return [
        {
            "policy": comparison.policy,
            "reference": comparison.reference,
            "verdict": comparison.verdict,
            "differences": {
                name: {**estimate_json(each.estimate), "p": number(each.p), "shown": each.shown}
                for name, each in comparison.differences.items()
            },
        }
        for comparison in comparisons
    ]


def until_json(campaigns: Sequence[Campaign], target: Target) -> dict[str, Any]:
    """Return how narrow the intervals became, for JSON."""
    return {
        "metric": target.metric,
        "fraction": target.fraction,
        "at_most": target.most,
        "replications": campaigns[0].scenario.replications,
        "reached": all(map(target.met_by, campaigns)),
        "widths": {each.scenario.policy_name: number(target.width(each)) for each in campaigns},
    }


def estimate_json(value: Estimate) -> dict[str, Any]:
    """Return an estimate for JSON."""
    return {
        "mean": number(value.mean),
        "low": number(value.low),
        "high": number(value.high),
        "method": value.method or None,
    }
