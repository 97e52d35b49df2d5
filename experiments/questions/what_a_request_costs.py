"""What does a request cost? Energy by who draws it, dollars and carbon, policy by policy.

Run it as ``python -m experiments.questions.what_a_request_costs [SCENARIO] [FIGURE]
[REPLICATIONS]``. Power is that above idle: what a device draws anyway belongs to no request.
"""

from pathlib import Path
from typing import Final

import pandas as pd

from experiments.cli.options import ScenarioName
from experiments.helpers import done_by
from experiments.questions.picture import COLOURS, drawn
from experiments.questions.script import FigureFile, Replications, ask
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.runner import Scenario
from sim.tables import Tables
from sim.trace import Trace

POLICIES: Final = (
    "local", "offload", "best-split", "sharded/exact:codec=int8", "sharded/prefix:codec=int8",
    "sharded/deferred:codec=fp16", "sharded/deferred:codec=int8", "sharded/deferred:codec=int4",
    "sharded/deferred:codec=int8,assignment=round-robin", "sharded/image:codec=int8",
)  # fmt: skip
FIGURES: Final = {
    "device_j": "joules of the device",
    "elsewhere_j": "joules of network and clouds",
    "milli_usd": "thousandths of a dollar",
    "carbon_g": "grams of CO2",
}


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("costs.png"),
    replications: Replications = 1,
) -> None:
    """Simulate policies; print and plot what a request costs under each."""
    rows = measured(scenario, replications)
    print("Per request, without what is drawn idle:")
    print(rows.to_string(float_format="{:.3g}".format))
    rows["elsewhere_j"] = rows["network_j"] + rows["clouds_j"]
    with drawn(figure, 13, 1.2 + 0.34 * len(rows)) as canvas:
        panels = canvas.subplots(1, len(FIGURES), sharey=True)
        for number, (axes, column) in enumerate(zip(panels, FIGURES, strict=True)):
            bars = axes.barh(rows.index, rows[column], color=COLOURS[number])
            axes.bar_label(bars, [f" {each:.2g}" for each in rows[column]], fontsize=8)
            axes.set_title(FIGURES[column], fontsize=10)
            axes.margins(x=0.25)
            axes.locator_params(axis="x", nbins=4)
        panels[0].invert_yaxis()
        canvas.supxlabel("a request, without what is drawn idle", fontsize=10)


def measured(name: str, replications: int) -> pd.DataFrame:
    """Return a row for each policy: means over all requests after the warm-up."""
    scenarios = [load(name, [f"replications={replications}"], policy) for policy in POLICIES]
    found = done_by(-1, _costs, scenarios, return_as="generator")
    return pd.DataFrame(list(found)).set_axis(pd.Index(POLICIES, name="policy"))


def _costs(scenario: Scenario) -> "pd.Series[float]":
    runs = range(scenario.replications)
    each = [per_request(Simulator().run(scenario, run), int(scenario.warm_up)) for run in runs]
    return pd.DataFrame(each).mean()


def per_request(trace: Trace, warm_up: int) -> dict[str, float]:
    """Return the mean joules, thousandths of a dollar and grams of CO2 of a request.

    Transfers draw the network's joules, computations their node's.
    """
    steps = Tables(trace).steps()
    counted = steps[steps["request"] >= warm_up]
    trusted = {node.name for node in trace.topology.trusted}
    device = counted["node"].isin(trusted)
    network = counted["kind"] == "transfer"
    requests = counted["request"].nunique()
    energy_j = counted["energy_j"]
    sums = {
        "device_j": energy_j[device & ~network].sum(),
        "network_j": energy_j[network].sum(),
        "clouds_j": energy_j[~device & ~network].sum(),
        "milli_usd": 1e3 * counted["cost_usd"].sum(),
        "carbon_g": counted["carbon_g"].sum(),
    }
    return {name: float(total / requests) for name, total in sums.items()}


if __name__ == "__main__":
    ask(main)
