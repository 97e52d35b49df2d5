"""How much latency does privacy cost? Sweeps policies over one topology and plots the answer.

Run it as ``python -m experiments.questions.policies [SCENARIO] [FIGURE] [REPLICATIONS]``, or copy
it: a scenario, a list of policies, one campaign each, one figure.
"""

from pathlib import Path
from typing import Any, Final

from experiments.cli.options import ScenarioName
from experiments.questions.campaigns import campaigns
from experiments.questions.picture import COLOURS, drawn
from experiments.questions.script import FigureFile, Replications, ask
from experiments.scenarios.loader import load
from sim.policies.registry import POLICIES
from sim.policies.sharded import Sharded

MARKERS: Final = {
    "speed-proportional": "o", "contiguous": "s", "checkerboard": "P", "round-robin": "X",
}  # fmt: skip


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("policies.png"),
    replications: Replications = 3,
) -> None:
    """Simulate every shipped policy, the sharded ones with several assignments, and plot them."""
    settings = [f"replications={replications}", "workload.requests=120"]
    asked = [(number, *each) for number, policy in enumerate(POLICIES) for each in ways(policy)]
    scenarios = [load(scenario, settings, spec) for _, spec, _ in asked]
    with drawn(figure, 9, 5) as canvas:
        axes = canvas.subplots()
        for (number, spec, marker), found in zip(asked, campaigns(scenarios), strict=True):
            seen = 100 * found.metrics["pixels_max_node"].mean
            p99_ms = 1e3 * found.metrics["p99_s"].mean
            latency = "saturated" if found.saturation else f"p99 {p99_ms:5.0f} ms"
            print(f"{spec:64} {latency:12}, worst cloud sees {seen:5.1f} % of an image")
            axes.plot(p99_ms, seen, marker, markersize=9, alpha=0.8, **shade(number))
        for number, policy in enumerate(POLICIES):
            axes.plot([], [], "o", markersize=9, label=policy, **shade(number))
        for assignment, marker in MARKERS.items():
            axes.plot([], [], marker, color="grey", label=assignment)
        deadline_ms = 1e3 * scenarios[0].deadline_s
        axes.axvline(deadline_ms, color="grey", linestyle="--", label="deadline")
        axes.set(xscale="log", xlabel="99th percentile of latency, ms", yscale="symlog")
        axes.set(ylabel="largest part of an image that a cloud receives, %", ylim=(-0.3, 130))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def shade(number: int) -> dict[str, Any]:
    """Return how a policy's markers look: hollow ones once all colours are taken."""
    rounds, place = divmod(number, len(COLOURS))
    return {"color": COLOURS[place], "fillstyle": "none" if rounds else "full"}


def ways(policy: str) -> list[tuple[str, str]]:
    """Return a policy's specifications, each with its marker: one for each assignment it takes."""
    if not issubclass(POLICIES[policy][0], Sharded):
        return [(policy, "D")]
    return [(f"{policy}:codec=int8,assignment={name}", mark) for name, mark in MARKERS.items()]


if __name__ == "__main__":
    ask(main)
