"""How fast a link do clouds need? Latency over the access line's uplink rate and round trip.

Run it as ``python -m experiments.questions.how_fast_a_link [SCENARIO] [FIGURE] [REPLICATIONS]``. The
downlink stays in the scenario's proportion to the uplink; the round trip is that of the access line,
to which each cloud's own distance comes.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd


from experiments.cli.options import ScenarioName
from experiments.questions.access import over
from experiments.questions.campaigns import campaigns, p99_s
from experiments.questions.picture import COLOURS, MARKERS, drawn
from experiments.questions.script import FigureFile, Replications, ask
from experiments.scenarios.loader import load

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POLICIES: Final = (
    "local", "offload", "sharded/exact:codec=int8",
    "sharded/deferred:assignment=round-robin,codec=int8",
    "sharded/deferred:assignment=round-robin,codec=int4",
)  # fmt: skip
RATES_BITS_PER_S: Final = (20e6, 50e6, 100e6, 200e6, 500e6, 1e9)
ROUND_TRIPS_S: Final = (4e-3, 20e-3, 80e-3)


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("links.png"),
    replications: Replications = 2,
) -> None:
    """Simulate policies over uplink rates and round trips; print and plot the 99th percentiles."""
    rows, deadline_s = measured(scenario, replications)
    print("99th percentile of latency, ms (inf: saturated)")
    table = rows.pivot_table(
        index=["round trip, ms", "policy"], columns="uplink, Mbit/s", values="p99, ms", sort=False
    )
    print(table.round(0).to_string())
    with drawn(figure, 12, 4.4) as canvas:
        panels = canvas.subplots(1, len(ROUND_TRIPS_S), sharey=True)
        for axes, (trip_ms, found) in zip(panels, rows.groupby("round trip, ms"), strict=True):
            _draw(axes, found, deadline_s)
            axes.set_title(f"round trip {trip_ms:g} ms")
        panels[0].set_ylabel("99th percentile of latency, ms")
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def measured(name: str, replications: int) -> tuple[pd.DataFrame, float]:
    """Return a row for each policy, round trip and uplink, and the scenario's deadline."""
    settings = [f"replications={replications}"]
    points = list(product(ROUND_TRIPS_S, POLICIES, RATES_BITS_PER_S))
    scenarios = [load(name, settings, policy) for _, policy, _ in points]
    changed = [
        replace(each, topology=over(each.topology, rate, trip))
        for each, (trip, _, rate) in zip(scenarios, points, strict=True)
    ]
    rows = [
        (1e3 * trip, policy, rate / 1e6, 1e3 * p99_s(found))
        for (trip, policy, rate), found in zip(points, campaigns(changed), strict=True)
    ]
    columns = ["round trip, ms", "policy", "uplink, Mbit/s", "p99, ms"]
    return pd.DataFrame(rows, columns=columns), scenarios[0].deadline_s


def _draw(axes: "Axes", found: pd.DataFrame, deadline_s: float) -> None:
    """Draw a line for each policy; it begins where there is a steady state."""
    for number, (policy, cells) in enumerate(found.groupby("policy", sort=False)):
        axes.plot(
            cells["uplink, Mbit/s"], cells["p99, ms"],
            color=COLOURS[number], marker=MARKERS[number], label=policy,
        )  # fmt: skip
    axes.axhline(1e3 * deadline_s, color="grey", linestyle="--", label="deadline")
    axes.set(xscale="log", yscale="log", xlabel="uplink, Mbit/s")
    rates = [rate / 1e6 for rate in RATES_BITS_PER_S]
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()


if __name__ == "__main__":
    ask(main)
