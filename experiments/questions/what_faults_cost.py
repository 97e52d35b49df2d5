"""What do faults cost? Latency before, while and after clouds crash, leave and join; what is lost.

Run it as ``python -m experiments.questions.what_faults_cost [SCENARIO] [FIGURE] [REPLICATIONS]
[--faults FILE]``. Without a file it is `churn.yaml` beside this script. Its first and its last
scheduled fault part before, while and after.
"""

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import pandas as pd
import typer

from experiments.cli.options import ScenarioName
from experiments.helpers import done_by
from experiments.questions.picture import COLOURS, drawn
from experiments.questions.script import FigureFile, Replications, ask
from experiments.scenarios.loader import load
from experiments.statistics.estimates import quantile_of
from sim.engine.simulator import Simulator
from sim.errors import ScenarioError
from sim.runner import Scenario
from sim.tables import Tables
from sim.trace import FINISHED, LOST

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHURN: Final = Path(__file__).with_name("churn.yaml")
POLICIES: Final = (
    "offload", "sharded/deferred:codec=int8", "sharded/deferred:codec=int8,assignment=round-robin",
)  # fmt: skip
SETTINGS: Final = (
    "workload.arrivals={kind: poisson, rate_per_s: 3.0}", "workload.requests=900",
)  # fmt: skip
"""As many requests a second as the edge of the shipped scenario bears, for 300 s."""
PHASES: Final = ("before", "while", "after")


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("faults.png"),
    replications: Replications = 2,
    faults: Annotated[Path, typer.Option(help="What goes wrong; see the README.")] = CHURN,
) -> None:
    """Simulate policies under faults; print what is lost, and plot latency over time."""
    settings = [*SETTINGS, f"replications={replications}", f"faults={faults.resolve()}"]
    scenarios = [load(scenario, settings, policy) for policy in POLICIES]
    bounds_s = span_s(scenarios[0], faults)
    found = list(done_by(-1, requests, scenarios, return_as="generator"))
    with drawn(figure, 10, 1 + 1.9 * len(POLICIES)) as canvas:
        panels = canvas.subplots(len(POLICIES), 1, sharex=True, sharey=True)
        for axes, policy, rows in zip(panels, POLICIES, found, strict=True):
            print(f"{policy}\n{summary(rows, bounds_s).to_string()}")
            _draw(axes, rows, bounds_s)
            axes.set_title(policy, fontsize=10)
        panels[0].legend(loc="upper right", ncols=3)
        panels[-1].set_xlabel("arrival of the request, s")
        canvas.supylabel("latency, ms")


def span_s(scenario: Scenario, file: Path) -> tuple[float, float]:
    """Return when the first and the last scheduled fault befall."""
    times_s = [fault.at_s for fault in scenario.faults.schedule]
    if not times_s:
        raise ScenarioError(f"--faults {file}: has no schedule, so no before and after; give one")
    return min(times_s), max(times_s)


def requests(scenario: Scenario) -> pd.DataFrame:
    """Return the requests of all replications after the warm-up, with the steps each lost."""
    found = []
    for replication in range(scenario.replications):
        tables = Tables(Simulator().run(scenario, replication), replication)
        steps, rows = tables.steps(), tables.requests()
        lost = steps[steps["outcome"] == LOST].groupby("request").size()
        rows["lost_steps"] = rows["request"].map(lost).fillna(0).astype(int)
        found.append(rows[rows["request"] >= scenario.warm_up])
    return pd.concat(found, ignore_index=True)


def summary(rows: pd.DataFrame, bounds_s: tuple[float, float]) -> pd.DataFrame:
    """Return a row for each phase: latency of what was answered, and what was lost."""
    first_s, last_s = bounds_s
    phases = pd.cut(rows["arrival_s"], [-inf, first_s, last_s, inf], labels=PHASES, right=False)
    return pd.DataFrame(
        {phase: _of_phase(cells) for phase, cells in rows.groupby(phases, observed=False)}
    ).T


def _of_phase(cells: pd.DataFrame) -> dict[str, str]:
    answered = cells[cells["outcome"] == FINISHED]
    latency_ms = 1e3 * answered["latency_s"].to_numpy()
    return {
        "requests": f"{len(cells)}",
        "unanswered": f"{len(cells) - len(answered)}",
        "p50, ms": f"{quantile_of(latency_ms, 0.5):.0f}",
        "p99, ms": f"{quantile_of(latency_ms, 0.99):.0f}",
        "that lost steps": f"{(cells['lost_steps'] > 0).sum()}",
        "steps lost": f"{cells['lost_steps'].sum()}",
        "MB up": f"{cells['bytes_up'].mean() / 1e6:.2f}",
        "most a cloud saw": f"{cells['pixels_max_node'].max():.1%}",
    }


def _draw(axes: "Axes", rows: pd.DataFrame, bounds_s: tuple[float, float]) -> None:
    """Draw a dot for each answered request; those that lost steps stand out."""
    axes.axvspan(*bounds_s, color="#EEEEEE", label="faults")
    answered, hit = rows["outcome"] == FINISHED, rows["lost_steps"] > 0
    for chosen, marker, number, label in (
        (answered & ~hit, ".", 0, "answered"),
        (answered & hit, "X", 1, "answered, steps lost"),
    ):
        cells = rows[chosen]
        axes.plot(cells["arrival_s"], 1e3 * cells["latency_s"], marker, color=COLOURS[number],
                  markersize=4 + 3 * number, label=label)  # fmt: skip
    axes.set_ylim(0, None)


if __name__ == "__main__":
    ask(main)
