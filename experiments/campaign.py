"""Running a scenario: all its replications under one policy, summed up."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from experiments.metrics import Estimate, replication_metrics, summarise, utilisation
from experiments.results import ResultFolder
from sim.runner import Runner, Scenario
from sim.tables import Tables


@dataclass(frozen=True)
class Campaign:
    """What came out of all replications of ``scenario``.

    ``replications`` holds each replication's metrics, ``metrics`` their estimates,
    ``latencies_s`` per replication the latencies that count (infinite where a request failed),
    ``seen`` per untrusted node the largest fraction of one request's input that it received
    directly and whether it ever received mixtures.
    """

    scenario: Scenario
    replications: tuple[dict[str, float], ...]
    metrics: dict[str, Estimate]
    utilisation: dict[str, Estimate]
    latencies_s: tuple[tuple[float, ...], ...]
    seen: pd.DataFrame


def run_campaign(
    scenario: Scenario,
    runner: Runner,
    folder: ResultFolder | None = None,
    advance: Callable[[], None] = lambda: None,
    look: Callable[[Tables], None] = lambda _: None,
) -> Campaign:
    """Run every replication of ``scenario`` and sum up.

    ``folder`` receives the tables, ``advance`` is called and ``look`` is shown the tables after
    each replication.
    """
    rows, loads, latencies, exposures = [], [], [], []
    for replication in range(scenario.replications):
        trace = runner.run(scenario, replication)
        tables = Tables(trace, replication)
        requests = tables.requests()
        counted = requests[requests["request"] >= scenario.warm_up]
        rows.append(replication_metrics(requests, scenario.warm_up, scenario.deadline_s))
        latencies.append(tuple(counted["latency_s"].where(counted["outcome"] == "finished", INF)))
        loads.append(utilisation(trace))
        exposure = tables.exposure()
        exposures.append(exposure[exposure["request"] >= scenario.warm_up])
        if folder is not None:
            folder.add(scenario.policy_name, replication, tables)
        look(tables)
        advance()
    return Campaign(
        scenario, tuple(rows), summarise(rows), summarise(loads), tuple(latencies), _seen(exposures)
    )


INF = float("inf")


def _seen(exposures: list[pd.DataFrame]) -> pd.DataFrame:
    """Return one row per node: provider, largest fraction of pixels, any mixture."""
    together = pd.concat(exposures)
    return together.groupby("node", sort=False, observed=True).agg(
        provider=("provider", "first"), pixels=("pixels", "max"), mixes=("mixes", "any")
    )
