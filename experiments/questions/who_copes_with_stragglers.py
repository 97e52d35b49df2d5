"""Who copes with stragglers? Unequal clouds, other tenants, jobs that take long, and a stale view.

Run it as ``python -m experiments.questions.who_copes_with_stragglers [SCENARIO] [FIGURE]
[REPLICATIONS] [--policy NAME …]``. All policies meet the same requests; differences from
``speed-proportional`` are paired, and called shown where Holm's test lets them be no chance
(`experiments.comparison`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from experiments.cli.options import PolicySpecs, ScenarioName
from experiments.comparison import Comparison, compare
from experiments.questions.campaigns import campaigns
from experiments.questions.picture import COLOURS, drawn
from experiments.questions.script import FigureFile, SeveralReplications, ask
from experiments.scenarios.loader import load
from sim.policy import service_s
from sim.runner import Scenario
from topologies.serving import BackgroundLoad, NoiseModel, Serving
from topologies.topology import Topology

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARDED: Final = "sharded/deferred:codec=int8,assignment="
REFERENCE: Final = SHARDED + "speed-proportional"
OTHERS: Final = (
    SHARDED + "round-robin", SHARDED + "heft", SHARDED + "speed-proportional,lanes=6,piece=1",
    SHARDED + "speed-proportional,copies=2", SHARDED + "speed-proportional,hedge=1.2",
    SHARDED + "speed-proportional,hedge=1.2,backup=edge",
    SHARDED + "speed-proportional,hedge=1.2,trust_s=0.5",
    "deadline-aware:codecs=int8,overload=degrade",
)  # fmt: skip
ROUGH: Final = Serving(
    noise=NoiseModel(factors=(1.0,) * 19 + (8.0,)),
    background=BackgroundLoad(utilisation=0.2, service_s=0.02),
)
"""One job in twenty takes eight times as long, and other tenants take 20 % of a cloud: assumed."""
STALE_S: Final = 1.0
SMALL: Final = ("workload.requests=200",)


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("stragglers.png"),
    replications: SeveralReplications = 5,
    policy: PolicySpecs = None,
) -> None:
    """Compare policies in ever rougher worlds; print and plot differences of the p99."""
    asked = [REFERENCE, *(policy or OTHERS)]
    settings = [*SMALL, f"replications={replications}"]
    scenarios = [load(scenario, settings, name) for name in asked]
    cells = [cell for each in scenarios for cell in worlds(each)]
    names = [world for world, _ in worlds(scenarios[0])]
    found = campaigns([each for _, each in cells])
    with drawn(figure, 12, 1.6 + 0.4 * len(asked)) as canvas:
        panels = canvas.subplots(1, len(names), sharey=True)
        for place, (axes, name) in enumerate(zip(panels, names, strict=True)):
            reference, *others = found[place :: len(names)]
            p99_ms = 1e3 * reference.metrics["p99_s"].mean
            comparisons = compare([reference, *others])
            _tell(name, p99_ms, comparisons)
            _draw(axes, comparisons)
            axes.set_title(f"{name}\nspeed-proportional: {p99_ms:.0f} ms", fontsize=9)
        canvas.supxlabel(
            "p99 minus that of speed-proportional, ms, 95 % (filled: more than chance)", fontsize=10
        )


def worlds(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """Yield a scenario's world made rougher and rougher, each with its name."""
    shipped = scenario.topology
    yield "clouds alike", replace(scenario, topology=alike(scenario))
    yield "unequal clouds", scenario
    rough = replace(scenario, topology=serving(shipped, ROUGH))
    yield "... tenants, stragglers", rough
    yield f"... and a view {STALE_S:g} s old", replace(rough, view_age_s=STALE_S)


def alike(scenario: Scenario) -> Topology:
    """Return the topology with the device of the cloud of median speed in every cloud."""
    topology, stage = scenario.topology, (scenario.workload.model.chain[0].stage,)
    ranked = sorted(
        topology.clouds, key=lambda cloud: service_s(topology, scenario.cost, stage, cloud.name)
    )
    median = ranked[len(ranked) // 2].device
    clouds = {cloud.name: replace(cloud, device=median) for cloud in ranked}
    return replace(topology, nodes=tuple(clouds.get(node.name, node) for node in topology.nodes))


def serving(topology: Topology, how: Serving) -> Topology:
    """Return the topology whose clouds all serve like this."""
    nodes = (
        replace(node, serving=how) if node.role == "cloud" else node for node in topology.nodes
    )
    return replace(topology, nodes=tuple(nodes))


def _tell(world: str, p99_ms: float, comparisons: Sequence[Comparison]) -> None:
    print(f"{world}: p99 of {REFERENCE} {p99_ms:.0f} ms; the others' minus that, ms:")
    for each in comparisons:
        if "p99_s" in each.differences:
            found = each.differences["p99_s"].estimate
            apart = f"{1e3 * found.mean:+6.0f} ({1e3 * found.low:+.0f} to {1e3 * found.high:+.0f})"
        else:
            apart = "     -"
        print(f"  {each.policy:64} {apart:24} {each.verdict}")


def _draw(axes: "Axes", comparisons: Sequence[Comparison]) -> None:
    """Draw a row for each policy that has a difference at all."""
    for row, each in enumerate(comparisons):
        difference = each.differences.get("p99_s")
        if difference is None:
            axes.annotate(each.verdict, (0, row), ha="center", va="center", fontsize=8)
            continue
        found, faster = difference.estimate, difference.estimate.mean < 0
        colour = COLOURS[0 if faster else 1] if difference.shown else "grey"
        axes.plot([1e3 * found.low, 1e3 * found.high], [row, row], color=colour)
        axes.plot(1e3 * found.mean, row, "o", color=colour,
                  markerfacecolor=colour if difference.shown else "white")  # fmt: skip
    axes.axvline(0, color="grey", linestyle="--")
    names = [each.policy.removeprefix(SHARDED) for each in comparisons]
    axes.set_yticks(range(len(comparisons)), names, fontsize=8)
    axes.set_ylim(len(comparisons) - 0.5, -0.5)


if __name__ == "__main__":
    ask(main)
