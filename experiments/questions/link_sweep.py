"""What do bandwidth, delay and loss of the edge's access link cost? Simulated and emulated.

Run it as ``python -m experiments.questions.link_sweep [--scenario NAME] [--figure FILE.png]``, or
copy it: one scenario, one link in many guises, the same plans in both worlds, one figure. The
emulated
world has workers that hold their device for as long as its profile says, and real TCP over links
of our own, each measured before it is used; it needs what ``--links userspace`` needs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import nan
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt
import typer

from experiments.campaign import run_campaign
from experiments.questions.access import access_of, behind
from experiments.scenarios.loader import load
from experiments.workplaces import Links, open_runner
from real_runner.deployment import Deployment, NodeSpec
from sim.engine.simulator import Simulator
from sim.runner import Scenario
from topologies.topology import Link, Topology

RATES_BITS_PER_S: Final = (20e6, 100e6, 500e6)
DELAYS_S: Final = (1e-3, 5e-3, 20e-3)
LOSSES: Final = (0.0, 0.01)


@dataclass(frozen=True, slots=True)
class Point:
    """One guise of the access link, and the median latency under it in each world."""

    rate_bits_per_s: float
    delay_s: float
    loss: float
    simulated_s: float = nan
    emulated_s: float = nan

    def __str__(self) -> str:
        return (
            f"{self.rate_bits_per_s / 1e6:5.0f} Mbit/s {self.delay_s * 1e3:4.0f} ms "
            f"{self.loss:5.1%} loss: simulated {self.simulated_s * 1e3:6.0f} ms, "
            f"emulated {self.emulated_s * 1e3:6.0f} ms "
            f"({self.emulated_s / self.simulated_s - 1:+.1%})"
        )


GRID: Final = tuple(Point(*guise) for guise in product(RATES_BITS_PER_S, DELAYS_S, LOSSES))


def main(scenario: str = "small-sam", figure: str = "links.png", requests: int = 40) -> None:
    """Measure every guise of the link in both worlds, print the medians and plot them."""
    settings = ["replications=1", f"workload.requests={requests}"]
    points = []
    for point in measured(load(scenario, settings), GRID):
        print(point, flush=True)
        points.append(point)
    plot(points, figure)


def measured(scenario: Scenario, points: tuple[Point, ...]) -> Iterator[Point]:
    """Yield the points with the median latency of each world under them."""
    with open_runner(Links.USERSPACE, Deployment(default=NodeSpec(executor="synthetic"))) as real:
        for point in points:
            guised = replace(scenario, topology=with_access(scenario.topology, point))
            simulated, emulated = (
                run_campaign(guised, runner).metrics["p50_s"].mean for runner in (Simulator(), real)
            )
            yield replace(point, simulated_s=simulated, emulated_s=emulated)


def with_access(topology: Topology, point: Point) -> Topology:
    """Return the topology whose edge's one link is as ``point`` says.

    Raises `ScenarioError` where there are several edges or several such links.
    """
    access = access_of(topology)
    guised = Link(
        access.source,
        access.target,
        point.rate_bits_per_s,
        point.delay_s,
        loss=point.loss,
        transport="tcp",
        congestion="bbr",
    )
    return behind(topology, guised)


def plot(points: list[Point], figure: str | Path) -> None:
    """Draw latency over bandwidth: a panel per loss, a colour per delay, a line per world."""
    panels = plt.subplots(1, len(LOSSES), figsize=(9, 4), sharey=True, layout="constrained")[1]
    for axes, loss in zip(panels, LOSSES, strict=True):
        for number, delay_s in enumerate(DELAYS_S):
            line = [p for p in points if (p.loss, p.delay_s) == (loss, delay_s)]
            rates = [p.rate_bits_per_s / 1e6 for p in line]
            label, colour = f"{delay_s * 1e3:g} ms", f"C{number}"
            axes.plot(rates, [1e3 * p.simulated_s for p in line], "--", color=colour)
            axes.plot(rates, [1e3 * p.emulated_s for p in line], "o-", color=colour, label=label)
        axes.set(xscale="log", yscale="log", xlabel="rate of the access link, Mbit/s")
        axes.set_title(f"{loss:.0%} loss")
    panels[0].set_ylabel("median latency, ms (dashed: simulated)")
    panels[0].legend(title="one-way delay")
    plt.savefig(figure, dpi=150)


if __name__ == "__main__":
    typer.run(main)
