"""How many clouds are worth it? Latency, price and what one cloud sees, from one cloud to 64.

Run it as ``python -m experiments.questions.how_many_clouds [SCENARIO] [FIGURE] [REPLICATIONS]``. A
scenario's topology has few clouds; beyond them each is there a second time, a third, and so on.
"""

from dataclasses import replace
from itertools import count, islice, product
from pathlib import Path
from typing import Final

import pandas as pd

from experiments.cli.options import ScenarioName
from experiments.questions.campaigns import campaigns
from experiments.questions.picture import drawn, look
from experiments.questions.script import FigureFile, Replications, ask
from experiments.scenarios.loader import load
from topologies.topology import Link, Topology

POLICY: Final = "sharded/{mode}:codec=int8,clouds={clouds}"
CLOUDS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
MODES: Final = ("prefix", "deferred", "local-attention")
FIGURES: Final = {
    "p50_s": (1e3, "median latency, ms"),
    "cost_usd": (1e3, "thousandths of a dollar a request"),
    "pixels_max_node": (100, "most that a cloud sees of an image, %"),
}


def main(
    scenario: ScenarioName = "jetson-16-clouds",
    figure: FigureFile = Path("clouds.png"),
    replications: Replications = 1,
) -> None:
    """Simulate modes over the number of clouds; print and plot three figures of each."""
    rows = measured(scenario, replications)
    with drawn(figure, 12, 4) as canvas:
        panels = canvas.subplots(1, len(FIGURES))
        for (column, (factor, label)), axes in zip(FIGURES.items(), panels, strict=True):
            print(label)
            table = rows.pivot(index="mode", columns="clouds", values=column).loc[list(MODES)]
            print((factor * table).round(2).to_string())
            for number, mode in enumerate(MODES):
                axes.plot(CLOUDS, factor * table.loc[mode], label=mode, **look(number))
            axes.set(xlabel="clouds", ylabel=label, ylim=(0, None), xscale="log")
            doubled = [each for each in CLOUDS if each.bit_count() == 1]
            axes.set_xticks(doubled, [str(each) for each in doubled])
            axes.minorticks_off()
        panels[0].legend()


def measured(name: str, replications: int) -> pd.DataFrame:
    """Return a row for each mode and number of clouds."""
    rows = pd.DataFrame(product(MODES, CLOUDS), columns=["mode", "clouds"])
    asked = []
    for mode, clouds in product(MODES, CLOUDS):
        policy = POLICY.format(mode=mode, clouds=clouds)
        scenario = load(name, [f"replications={replications}"], policy)
        asked.append(replace(scenario, topology=grown(scenario.topology, clouds)))
    found = campaigns(asked)
    for column in FIGURES:
        rows[column] = [campaign.metrics[column].mean for campaign in found]
    return rows


def grown(topology: Topology, clouds: int) -> Topology:
    """Return the topology with at least so many clouds: its own, each again as often as need be.

    A second cloud of a kind hangs on a link of its own, like the first one's, to the same router.
    """
    missing = clouds - len(topology.clouds)
    twins = ((cloud, turn) for turn in count(2) for cloud in topology.clouds)
    nodes, links = list(topology.nodes), list(topology.links)
    for cloud, turn in islice(twins, max(0, missing)):
        twin = f"{cloud.name}-{turn}"
        nodes.append(replace(cloud, name=twin))
        own = (link for link in topology.links if cloud.name in {link.source, link.target})
        links += [_moved(link, cloud.name, twin) for link in own]
    return replace(topology, nodes=tuple(nodes), links=tuple(links))


def _moved(link: Link, end: str, to: str) -> Link:
    """Return a link that leads to another node at one of its ends."""
    source, target = (to if each == end else each for each in (link.source, link.target))
    return replace(link, source=source, target=target)


if __name__ == "__main__":
    ask(main)
