"""``tessera budget``: whether a design meets its latency budget, and what the time goes to."""

import json
from math import isinf, isnan, nan
from typing import Annotated, Any

import pandas as pd
import typer
from rich.table import Table

from experiments.breakdown import breakdown, mean_and_tail
from experiments.campaign import Campaign, run_campaign
from experiments.cli.notes import notes, policy_json
from experiments.cli.options import (
    AsJson,
    ScenarioName,
    Settings,
    duration_s,
    progress_bar,
    show,
)
from experiments.cli.plain import number
from experiments.scenarios.loader import load
from experiments.statistics.estimates import unbounded
from experiments.verdict import CONFIDENCE, QUANTILE, Answer, Verdict, judge
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from sim.runner import Scenario
from sim.tables import Tables


def budget(
    scenario: ScenarioName,
    deadline: Annotated[
        str | None,
        typer.Option(help="Duration with its unit, e.g. 320ms; default: the scenario's."),
    ] = None,
    quantile: Annotated[float, typer.Option(help="Fraction that must meet it.")] = QUANTILE,
    confidence: Annotated[float, typer.Option(help="Confidence of each bound.")] = CONFIDENCE,
    policy: Annotated[
        str | None, typer.Option(help="NAME[:key=value,…]; default: the scenario's.")
    ] = None,
    settings: Settings = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say whether a deadline holds; exit status 0: it does, 1: it does not, 3: too few samples.

    Example: tessera budget jetson-16-clouds --deadline 320ms --quantile 0.99
    """
    for name, value in (("--quantile", quantile), ("--confidence", confidence)):
        if not 0 < value < 1:
            raise ScenarioError(f"{name} {value:g}: give a number between 0 and 1")
    chosen = load(scenario, settings or [], policy)
    deadline_s = chosen.deadline_s if deadline is None else duration_s(deadline, "--deadline")
    if not deadline_s:
        raise ScenarioError(f"--deadline {deadline}: give a positive duration, e.g. 320ms")
    campaign, spent = _run(chosen)
    verdict = judge(campaign.latencies_s, deadline_s, quantile, confidence, campaign.saturation)
    spent_ms = mean_and_tail(spent, verdict.quantile_s.mean) * 1e3
    if as_json:
        print(json.dumps(_as_json(campaign, deadline_s, quantile, verdict, spent_ms), indent=1))
    else:
        _print(campaign, deadline_s, quantile, verdict, spent_ms)
    raise typer.Exit(verdict.answer.value)


def _run(scenario: Scenario) -> tuple[Campaign, pd.DataFrame]:
    """Return the campaign and, per measured request, what its time was spent on."""
    spent: list[pd.DataFrame] = []

    def look(tables: Tables) -> None:
        spent.append(breakdown(tables.steps(), scenario.topology))

    with progress_bar("simulating", scenario.replications) as advance:
        campaign = run_campaign(scenario, Simulator(), advance=advance, look=look)
    counted = [pieces[pieces.index >= campaign.warm_up.requests] for pieces in spent]
    return campaign, pd.concat(counted, ignore_index=True).fillna(0.0)


_WORDS = {
    Answer.HOLDS: "HOLDS",
    Answer.MISSED: "DOES NOT HOLD",
    Answer.UNDECIDED: "CANNOT BE SAID: too few samples",
}


def _print(
    campaign: Campaign, deadline_s: float, quantile: float, verdict: Verdict, spent_ms: pd.DataFrame
) -> None:
    saturation = campaign.saturation
    show(
        f"{deadline_s * 1e3:g} ms at quantile {quantile:g}: {_WORDS[verdict.answer]}"
        + (": saturated" if saturation else "")
    )
    under = f"  {campaign.scenario.name} under {campaign.scenario.policy_name}: "
    if saturation:
        show(f"{under}no steady state, latency grows for as long as load lasts")
        show(f"  {saturation.reason}")
    else:
        show(under + _figures(verdict))
    show(*(f"  {line}" for line in notes([campaign], None) if not saturation))
    if verdict.answer is Answer.UNDECIDED:
        show(
            f"  at least {verdict.samples_needed} requests are needed, more where some miss; "
            "use --set replications=… or --set workload.requests=…"
        )
    table = Table(title="What the time goes to, ms on the critical path")
    table.add_column("step")
    table.add_column("mean", justify="right")
    table.add_column("slowest requests", justify="right")
    for what, row in spent_ms.iterrows():
        table.add_row(str(what), f"{row['mean']:.1f}", f"{row['slowest']:.1f}")
    table.add_section()
    totals = spent_ms.sum()
    table.add_row("total", f"{totals['mean']:.1f}", f"{totals['slowest']:.1f}")
    show(table)


def _figures(verdict: Verdict) -> str:
    met, at = verdict.met, verdict.quantile_s
    bounds = f"{at.low * 1e3:.0f} to {at.high * 1e3:.0f}"
    if isinf(at.high):
        bounds = f"{at.low * 1e3:.0f} or more"
    return (
        f"{met.mean:.2%} of {verdict.samples} requests met it "
        f"(bounds {met.low:.2%} to {met.high:.2%}); "
        f"latency there {at.mean * 1e3:.0f} ms" + ("" if isnan(at.low) else f" ({bounds})")
    )


def _as_json(
    campaign: Campaign, deadline_s: float, quantile: float, verdict: Verdict, spent_ms: pd.DataFrame
) -> dict[str, Any]:
    """Return the answer; where there is no steady state, without the figures there are none of."""
    met, at = verdict.met, verdict.quantile_s
    if campaign.saturation:
        met = at = unbounded(nan)
    return {
        "scenario": campaign.scenario.name,
        "policy": campaign.scenario.policy_name,
        "deadline_s": deadline_s,
        "quantile": quantile,
        "answer": verdict.answer.name.lower(),
        "met": {"mean": number(met.mean), "low": number(met.low), "high": number(met.high)},
        "quantile_s": number(at.mean),
        "quantile_low_s": number(at.low),
        "quantile_high_s": number(at.high),
        **policy_json(campaign),
        "samples": verdict.samples,
        "spent_ms": spent_ms.to_dict(orient="index"),
    }
