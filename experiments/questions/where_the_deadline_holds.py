"""Where does the deadline hold? A map over the access line's uplink rate and round trip, per codec.

Run it as ``python -m experiments.questions.where_the_deadline_holds [SCENARIO] [FIGURE]
[REPLICATIONS]``. A cell holds, or misses, where `experiments.verdict` says so of the 99th
percentile with 95 % confidence; the line is where that percentile, between cells, is the scenario's
deadline.
"""

from itertools import product
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from experiments.cli.options import ScenarioName
from experiments.questions.access import worlds
from experiments.questions.campaigns import campaigns, p99_s
from experiments.questions.picture import drawn
from experiments.questions.script import FigureFile, Replications, ask
from experiments.verdict import Answer, judge

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

POLICY: Final = "sharded/deferred:assignment=round-robin,codec={codec}"
CODECS: Final = ("fp16", "int8", "int4")
RATES_BITS_PER_S: Final = (200e6, 500e6, 700e6, 1e9, 2e9, 5e9)
ROUND_TRIPS_S: Final = (2e-3, 10e-3, 20e-3, 40e-3, 80e-3, 120e-3)
QUANTILE, CONFIDENCE = 0.99, 0.95
COLOURS: Final = {
    Answer.HOLDS.name: "#56B4E9",
    Answer.UNDECIDED.name: "#F0E442",
    Answer.MISSED.name: "#E8E8E8",
}  # fmt: skip
NEVER_S: Final = 1e6
"""What stands for the latency of a world without a steady state, so that a line can be drawn."""


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("feasible.png"),
    replications: Replications = 1,
) -> None:
    """Judge every cell; print and draw a map for each codec."""
    cells, deadline_s = judged(scenario, replications)
    _tell(cells, deadline_s)
    with drawn(figure, 12, 4) as canvas:
        panels = canvas.subplots(1, len(CODECS), sharey=True)
        for axes, codec in zip(panels, CODECS, strict=True):
            _draw(axes, cells[cells["codec"] == codec], deadline_s)
            axes.set_title(POLICY.format(codec=codec), fontsize=9)
        panels[0].set_ylabel("round trip of the access line, ms")
        handles, labels = _key(deadline_s)
        canvas.legend(handles, labels, loc="outside lower center", ncols=4)


def judged(name: str, replications: int) -> tuple[pd.DataFrame, float]:
    """Return a row for each codec, round trip and uplink, and the scenario's deadline."""
    cells = pd.DataFrame(
        product(CODECS, ROUND_TRIPS_S, RATES_BITS_PER_S),
        columns=["codec", "round_trip_s", "uplink_bits_per_s"],
    )
    points = [(POLICY.format(codec=codec), *link) for codec, *link in cells.itertuples(index=False)]
    asked = worlds(name, [f"replications={replications}"], points)
    deadline_s, found = asked[0].deadline_s, campaigns(asked)
    cells["p99_s"] = [p99_s(each) for each in found]
    cells["answer"] = [
        judge(each.latencies_s, deadline_s, QUANTILE, CONFIDENCE, each.saturation).answer.name
        for each in found
    ]
    return cells, deadline_s


def _tell(cells: pd.DataFrame, deadline_s: float) -> None:
    print(f"Least uplink, Mbit/s, with which {1e3 * deadline_s:g} ms holds at p99 (-: none here)")
    held = cells[cells["answer"] == Answer.HOLDS.name]
    least = held.pivot_table(
        index="round_trip_s", columns="codec", values="uplink_bits_per_s", aggfunc="min"
    )
    least = (least / 1e6).reindex(index=ROUND_TRIPS_S, columns=CODECS)
    least.index = [f"{1e3 * each:g} ms" for each in ROUND_TRIPS_S]
    print(least.map("{:.0f}".format).replace("nan", "-").to_string())


def _draw(axes: "Axes", cells: pd.DataFrame, deadline_s: float) -> None:
    """Draw one codec's cells, the percentile written in each, and the line between them."""
    columns, rows = range(len(RATES_BITS_PER_S)), range(len(ROUND_TRIPS_S))
    for (row, column), (_, cell) in zip(product(rows, columns), cells.iterrows(), strict=True):
        colour = COLOURS[cell["answer"]]
        axes.fill([column - 0.5, column + 0.5, column + 0.5, column - 0.5],
                  [row - 0.5, row - 0.5, row + 0.5, row + 0.5], color=colour)  # fmt: skip
        axes.text(column, row, _written(cell["p99_s"]), ha="center", va="center", fontsize=8)
    beyond = cells["p99_s"].clip(upper=NEVER_S).map(lambda each: log(each / deadline_s))
    grid = beyond.to_numpy().reshape(len(ROUND_TRIPS_S), len(RATES_BITS_PER_S))
    if grid.min() < 0 < grid.max():
        axes.contour(columns, rows, grid, levels=[0.0], colors="black")
    axes.set_xticks(columns, [f"{rate / 1e6:g}" for rate in RATES_BITS_PER_S])
    axes.set_yticks(rows, [f"{1e3 * each:g}" for each in ROUND_TRIPS_S])
    axes.set(xlabel="uplink, Mbit/s", xlim=(-0.5, columns[-1] + 0.5), ylim=(-0.5, rows[-1] + 0.5))


def _written(latency_s: float) -> str:
    return f"{1e3 * latency_s:.0f}" if latency_s < 10 else ">10 s"


def _key(deadline_s: float) -> tuple[list["Artist"], list[str]]:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - an extra
    from matplotlib.patches import Patch  # noqa: PLC0415

    patches: list[Artist] = [Patch(color=colour) for colour in COLOURS.values()]
    words = [f"{1e3 * deadline_s:g} ms holds at p99", "too close to say", "does not hold"]
    line = Line2D([], [], color="black")
    return [*patches, line], [*words, f"p99 = {1e3 * deadline_s:g} ms (cells: p99, ms)"]


if __name__ == "__main__":
    ask(main)
