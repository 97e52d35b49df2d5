"""Scenarios simulated side by side, and sweeps of which every cell is an answer."""

from collections.abc import Sequence

import pandas as pd

from experiments.campaign import Campaign, run_campaign
from experiments.cli.options import progress_bar
from experiments.helpers import done_by
from experiments.sweeps.sweeping import sweep
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from sim.runner import Scenario


def campaigns(scenarios: Sequence[Scenario]) -> list[Campaign]:
    """Simulate all replications of each scenario, on every processor; in the order given."""
    found: list[Campaign] = []
    with progress_bar("simulating", len(scenarios)) as advance:
        for campaign in done_by(-1, simulated, scenarios, return_as="generator"):
            found.append(campaign)
            advance()
    return found


def simulated(scenario: Scenario) -> Campaign:
    """Simulate all replications of one scenario."""
    return run_campaign(scenario, Simulator())


def swept(
    scenario: str, policies: Sequence[str], axes: Sequence[str], settings: Sequence[str]
) -> pd.DataFrame:
    """Return the rows of a sweep; `ScenarioError` with the error of its first cell that has one."""
    rows = sweep(scenario, policies, axes, settings)
    failed = rows[rows["error"] != ""]
    if len(failed):
        first = failed.iloc[0]
        raise ScenarioError(f"{scenario} under {first['policy']}: {first['error']}")
    return rows


def p99_s(campaign: Campaign) -> float:
    """Return the 99th percentile of latency; infinite where there is no steady state."""
    return float("inf") if campaign.saturation else campaign.metrics["p99_s"].mean
