"""What do colluding clouds see? A coalition's part of an image, against latency.

Run it as ``python -m experiments.questions.what_a_coalition_sees [SCENARIO] [FIGURE]
[REPLICATIONS]``. A coalition is of any k clouds, those that see most; what they see follows from
the transfers of the plans that were run (`sim.exposure`), of one request at a time.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from experiments.cli.options import ScenarioName
from experiments.helpers import done_by
from experiments.questions.campaigns import p99_s, simulated
from experiments.questions.picture import drawn, look
from experiments.questions.script import FigureFile, Replications, ask
from experiments.scenarios.loader import load
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from sim.exposure import sights, worst_coalition
from sim.runner import Scenario
from sim.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POLICY: Final = "sharded/deferred:codec=int8,assignment={assignment},clouds={clouds}"
ASSIGNMENTS: Final = (
    "round-robin", "clustered", "spread", "checkerboard", "speed-proportional", "least-makespan",
)  # fmt: skip
CLOUDS: Final = (4, 8, 16)
TOGETHER: Final = 2
"""How many collude where the picture is of latency."""


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("coalitions.png"),
    replications: Replications = 1,
) -> None:
    """Simulate assignments to several numbers of clouds; print and plot what coalitions see."""
    rows, deadline_s = measured(scenario, replications)
    shown = rows.assign(p99_ms=1e3 * rows["p99_s"]).drop(columns="p99_s")
    print("Part of an image that the worst coalition of so many clouds sees, and p99 of latency")
    print(shown.to_string(index=False, float_format="{:.3g}".format))
    with drawn(figure, 12, 4.6) as canvas:
        seen, latency = canvas.subplots(1, 2)
        _draw_seen(seen, rows[rows["clouds"] == rows["clouds"].max()])
        _draw_latency(latency, rows)
        latency.axvline(1e3 * deadline_s, color="grey", linestyle="--", label="deadline")
        handles, labels = latency.get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def measured(name: str, replications: int) -> tuple[pd.DataFrame, float]:
    """Return a row for each assignment and number of clouds, and the scenario's deadline.

    Numbers are those of `CLOUDS` that the topology has.
    """
    settings = [f"replications={replications}"]
    there = len(load(name).topology.clouds)
    counts = [clouds for clouds in CLOUDS if clouds <= there]
    if not counts:
        raise ScenarioError(f"{name}: has {there} clouds; this question needs {min(CLOUDS)}")
    asked = list(product(ASSIGNMENTS, counts))
    scenarios = [
        load(name, settings, POLICY.format(assignment=assignment, clouds=clouds))
        for assignment, clouds in asked
    ]
    work = partial(_figures, range(1, max(counts) + 1))
    found = done_by(-1, work, scenarios, return_as="generator")
    rows = [
        {"assignment": assignment, "clouds": clouds, **figures}
        for (assignment, clouds), figures in zip(asked, found, strict=True)
    ]
    return pd.DataFrame(rows), scenarios[0].deadline_s


def _figures(sizes: Sequence[int], scenario: Scenario) -> dict[str | int, float]:
    """Return the 99th percentile of latency, and what the worst k clouds see, by k."""
    trace = Simulator().run(scenario)  # a campaign keeps no plans
    return {"p99_s": p99_s(simulated(scenario)), **coalitions(trace, sizes)}


def coalitions(trace: Trace, sizes: Sequence[int]) -> dict[str | int, float]:
    """Return the largest part of one input that any so many nodes saw together, by their number."""
    plans = [sights(plan.steps, trace.topology).values() for plan in trace.plans]
    fractions = trace.outcomes[0].request.model.shard_fractions
    return {size: max(worst_coalition(each, fractions, size) for each in plans) for size in sizes}


def _draw_seen(axes: "Axes", rows: pd.DataFrame) -> None:
    clouds = rows["clouds"].max()
    sizes = range(1, clouds + 1)
    for number, (_, row) in enumerate(rows.iterrows()):
        axes.plot(sizes, [100 * row[size] for size in sizes], markersize=5, **look(number))
    axes.set(xlabel=f"clouds that collude, of {clouds}", ylim=(0, 104))
    axes.set(ylabel="of an image that they see, %", xticks=[1, *sizes[1::2]])


def _draw_latency(axes: "Axes", rows: pd.DataFrame) -> None:
    for number, (assignment, cells) in enumerate(rows.groupby("assignment", sort=False)):
        seen = 100 * cells[TOGETHER]
        axes.plot(1e3 * cells["p99_s"], seen, alpha=0.8, label=assignment, **look(number))
        for _, cell in cells.iterrows():
            place = (1e3 * cell["p99_s"], 100 * cell[TOGETHER])
            axes.annotate(str(cell["clouds"]), place, (5, 4), textcoords="offset points", size=8)
    axes.set(xlabel="99th percentile of latency, ms (numbers: clouds used)", ylim=(0, None))
    axes.set(ylabel=f"of an image that {TOGETHER} clouds see, %")


if __name__ == "__main__":
    ask(main)
