"""A rehearsal: a few requests for real, undilated and over loopback, beside a simulation.

What a computation then takes longer than its profile is this machine's arithmetic, with as much of
its neighbours' as there will be; what any step takes beyond the model is the handing over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from experiments.fidelity.beliefs import as_believed
from experiments.fidelity.readiness import FromReady
from sim.engine.simulator import Simulator
from sim.runner import Runner, Scenario
from sim.tables import Tables
from sim.trace import FINISHED

REQUESTS: Final = 4
_COUNTED_FROM: Final = 1
"""The first opens what is opened once."""
_KEY: Final = ["run", "request", "attempt", "step"]


@dataclass(frozen=True)
class Rehearsal:
    """What came of it: a row per step that is in both worlds.

    ``steps`` has ``kind``, ``stage``, ``node``, and the seconds that the step took from when it
    could begin, ``model_s`` and ``here_s``. ``busiest_bits_per_s`` is the most that all transfers
    together had on their way at one moment of the simulation.
    """

    steps: pd.DataFrame
    busiest_bits_per_s: float


def rehearse(scenarios: Sequence[Scenario], real: Runner) -> Rehearsal:
    """Run the first requests of each scenario in both worlds."""
    short = [as_believed(_short(scenario)) for scenario in scenarios]
    here = _steps(short, FromReady(real))
    model = _steps(short, Simulator())
    both = model.merge(here[[*_KEY, "took_s"]], on=_KEY, suffixes=("", "_here"))
    both = both[both["request"] >= _COUNTED_FROM]
    steps = both.rename(columns={"took_s": "model_s", "took_s_here": "here_s"})
    peaks = [busiest_bits_per_s(rows) for _, rows in model.groupby("run")]
    return Rehearsal(steps.reset_index(drop=True), max(peaks, default=0.0))


def busiest_bits_per_s(steps: pd.DataFrame) -> float:
    """Return the highest sum of the rates of transfers that were under way at one moment."""
    sent = steps[(steps["kind"] == "transfer") & (steps["took_s"] > 0)]
    rates = 8 * sent["bytes"] / sent["took_s"]
    changes = pd.concat(
        [
            pd.DataFrame({"at_s": sent["end_s"], "by": -rates}),
            pd.DataFrame({"at_s": sent["queued_s"], "by": rates}),
        ]
    ).sort_values("at_s", kind="stable")
    return float(changes["by"].cumsum().max()) if len(changes) else 0.0


def _short(scenario: Scenario) -> Scenario:
    requests = min(REQUESTS, scenario.workload.requests)
    workload = replace(scenario.workload, requests=requests)
    return replace(scenario, workload=workload, warm_up=0, replications=1)


def _steps(scenarios: Sequence[Scenario], runner: Runner) -> pd.DataFrame:
    tables = [
        Tables(runner.run(scenario)).steps().assign(run=number)
        for number, scenario in enumerate(scenarios)
    ]
    steps = pd.concat(tables, ignore_index=True)
    steps = steps[steps["outcome"] == FINISHED]
    return steps.assign(took_s=steps["end_s"] - steps["queued_s"])
