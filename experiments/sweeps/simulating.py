"""One cell of a sweep, simulated to a row of figures: the same in whatever process."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.campaign import Campaign, Replications
from experiments.scenarios.loader import build, read_scenario
from experiments.sequential import Target, run_until
from experiments.sweeps.axes import Cell, settings_of
from experiments.verdict import CONFIDENCE, QUANTILE, judge
from sim.engine.simulator import Simulator

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Orders:
    """What all cells have in common: the scenario's file, what is set in it, and all policies.

    With a ``target`` a cell gets as many replications as its interval needs, and ``narrow`` says in
    its row whether those allowed were enough.
    """

    path: Path
    settings: tuple[str, ...]
    policies: tuple[str, ...]
    target: Target | None = None


def simulated(orders: Orders, cell: Cell) -> pd.DataFrame:
    """Return one row: where the cell lies, and its figures with their 95 % intervals.

    Whatever goes wrong in it, a user's mistake or a policy's, stands in ``error`` instead.
    """
    at = {"cell": cell.number, "policy": cell.policy, **dict(cell.at)}
    try:
        found = _figures(_campaign(orders, cell), orders.target)
    except Exception as error:  # noqa: BLE001 - the other cells go on
        found = {"error": f"{type(error).__name__}: {error}"}
    return pd.DataFrame([{**at, "error": "", **found}])


def _campaign(orders: Orders, cell: Cell) -> Campaign:
    settings = [*orders.settings, *settings_of(cell, orders.policies)]
    scenario = build(read_scenario(orders.path, settings), orders.path, cell.policy)
    replications = Replications(scenario, Simulator())
    if orders.target is not None:
        return run_until([replications], orders.target)[0]
    for _ in range(scenario.replications):
        replications.run_next()
    return replications.campaign()


def _figures(campaign: Campaign, target: Target | None) -> dict[str, object]:
    deadline_s = campaign.scenario.deadline_s
    verdict = judge(campaign.latencies_s, deadline_s, QUANTILE, CONFIDENCE, campaign.saturation)
    row: dict[str, object] = {
        "replications": len(campaign.replications),
        **({} if target is None else {"narrow": target.met_by(campaign)}),
        "saturated": bool(campaign.saturation),
        "deadline_s": deadline_s,
        "verdict": verdict.answer.name.lower(),
        "met_at_least": verdict.met.low,
        "met_at_most": verdict.met.high,
        "pixels": max((pixels for _, _, pixels, _ in campaign.sights), default=0.0),
    }
    for name, each in campaign.metrics.items():
        row |= {name: each.mean, f"{name}_low": each.low, f"{name}_high": each.high}
    return row
