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
DRAWN_BY: Final = {"device_j": "the device", "network_j": "the network", "clouds_j": "the clouds"}
PRICES: Final = {"milli_usd": "thousandths of a dollar", "carbon_g": "grams of CO2"}


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("costs.png"),
    replications: Replications = 1,
) -> None:
    """Simulate policies; print and plot what a request costs under each."""
    rows = measured(scenario, replications)
    print("Per request, without what is drawn idle:")
    print(rows.to_string(float_format="{:.3g}".format))
    with drawn(figure, 12, 4.6) as canvas:
        panels = canvas.subplots(1, 1 + len(PRICES), sharey=True, width_ratios=(2, 1, 1))
        left = pd.Series(0.0, rows.index)
        for column, colour in zip(DRAWN_BY, COLOURS, strict=False):
            panels[0].barh(rows.index, rows[column], left=left, color=colour)
            left += rows[column]
        panels[0].legend(panels[0].containers, DRAWN_BY.values())
        panels[0].set_xlabel("joules a request, by who draws them")
        for axes, (column, label) in zip(panels[1:], PRICES.items(), strict=True):
            axes.bar_label(axes.barh(rows.index, rows[column], color="grey"), fmt=" {:.2g}")
            axes.set_xlabel(f"{label} a request")
            axes.margins(x=0.25)
        panels[0].invert_yaxis()


def measured(name: str, replications: int) -> pd.DataFrame:
    """Return a row for each policy: means over all requests after the warm-up."""
    scenarios = [load(name, [f"replications={replications}"], policy) for policy in POLICIES]
    found = done_by(-1, _costs, scenarios, return_as="generator")
    return pd.DataFrame(list(found), index=pd.Index(POLICIES, name="policy"))


def _costs(scenario: Scenario) -> dict[str, float]:
    runs = range(scenario.replications)
    each = [per_request(Simulator().run(scenario, run), int(scenario.warm_up)) for run in runs]
    return pd.DataFrame(each).mean().to_dict()


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
