"""How fast a link do clouds need? Latency over the access line's uplink rate and round trip.

Run it as ``python -m experiments.questions.how_fast_a_link [SCENARIO] [FIGURE] [REPLICATIONS]``.
The downlink stays in the scenario's proportion to the uplink; the round trip is that of the access
line, to which each cloud's own distance comes.
"""

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from experiments.cli.options import ScenarioName
from experiments.questions.access import worlds
from experiments.questions.campaigns import campaigns, p99_s
from experiments.questions.picture import drawn, look
from experiments.questions.script import FigureFile, Replications, ask

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
    replications: Replications = 1,
) -> None:
    """Simulate policies over uplink rates and round trips; print and plot the 99th percentiles."""
    rows, deadline_s = measured(scenario, replications)
    print("99th percentile of latency, ms, over uplink in Mbit/s (inf: saturated)")
    for round_trip_s in ROUND_TRIPS_S:
        found = rows[rows["round_trip_s"] == round_trip_s]
        table = found.pivot(index="policy", columns="uplink_bits_per_s", values="p99_s")
        table.columns = [f"{rate / 1e6:g}" for rate in RATES_BITS_PER_S]
        print(f"round trip {1e3 * round_trip_s:g} ms")
        print((1e3 * table.loc[list(POLICIES)]).round(0).to_string())
    with drawn(figure, 12, 4.4) as canvas:
        panels = canvas.subplots(1, len(ROUND_TRIPS_S), sharey=True)
        for axes, round_trip_s in zip(panels, ROUND_TRIPS_S, strict=True):
            _draw(axes, rows[rows["round_trip_s"] == round_trip_s], deadline_s)
            axes.set_title(f"access line: {1e3 * round_trip_s:g} ms there and back")
        panels[0].set_ylabel("99th percentile of latency, ms")
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def measured(name: str, replications: int) -> tuple[pd.DataFrame, float]:
    """Return a row for each policy, round trip and uplink, and the scenario's deadline."""
    points = list(product(POLICIES, ROUND_TRIPS_S, RATES_BITS_PER_S))
    asked = worlds(name, [f"replications={replications}"], points)
    rows = pd.DataFrame(points, columns=["policy", "round_trip_s", "uplink_bits_per_s"])
    rows["p99_s"] = [p99_s(found) for found in campaigns(asked)]
    return rows, asked[0].deadline_s


def _draw(axes: "Axes", rows: pd.DataFrame, deadline_s: float) -> None:
    """Draw a line for each policy; it begins where there is a steady state."""
    for number, (policy, cells) in enumerate(rows.groupby("policy", sort=False)):
        rates = cells["uplink_bits_per_s"] / 1e6
        axes.plot(rates, 1e3 * cells["p99_s"], label=policy, **look(number))
    axes.axhline(1e3 * deadline_s, color="grey", linestyle="--", label="deadline")
    axes.set(xscale="log", yscale="log", xlabel="uplink, Mbit/s")
    ticks = [rate / 1e6 for rate in RATES_BITS_PER_S]
    axes.set_xticks(ticks, [f"{rate:g}" for rate in ticks])
    axes.minorticks_off()


if __name__ == "__main__":
    ask(main)
