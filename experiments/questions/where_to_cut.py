"""Where to cut a Llama in three? Layers at the edge against time per token, bytes and exposure.

Run it as ``python -m experiments.questions.where_to_cut [SCENARIO] [FIGURE]``, where the scenario's
workload writes text. Of one request alone, since nothing in it is left to chance: layers [0, a) and
the last ones stay at the edge, and the cloud holds the hidden states between, as its trace says.
"""

from itertools import product
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from experiments.campaign import Campaign
from experiments.cli.options import ScenarioName
from experiments.questions.campaigns import campaigns
from experiments.questions.picture import drawn, look
from experiments.questions.script import FigureFile, ask
from experiments.scenarios.loader import load
from sim.policies.generating import llama_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CODECS: Final = ("fp32", "fp16", "int8", "int4")
DRAWN: Final = "fp16"
ALONE: Final = ("replications=1", "workload.requests=1", "warm_up=0")


def main(
    scenario: ScenarioName = "llama2-7b-jetson-cloud", figure: FigureFile = Path("cuts.png")
) -> None:
    """Simulate cuts and codecs; print them, and plot time per token over what is kept."""
    rows = measured(scenario)
    shown = rows[rows["codec"] == DRAWN].drop(columns="codec")
    print(f"One text; {DRAWN}; ms per token NaN: edge or cloud has no room")
    print(shown.to_string(index=False, float_format="{:.4g}".format))
    with drawn(figure, 12, 4.6) as canvas:
        cut, kept = canvas.subplots(1, 2)
        _draw_cuts(cut, shown)
        _draw_kept(kept, rows)
        canvas.suptitle(f"{scenario}: where to cut")


def measured(name: str) -> pd.DataFrame:
    """Return a row for each codec and each cut, given by the layers kept before and after it."""
    layers = llama_of(load(name).workload.model).layers
    kept = [1 << power for power in range(layers.bit_length()) if 1 << power < layers]
    cuts = [
        (codec, before, after)
        for codec, before, after in product(CODECS, kept, kept)
        if before + after < layers
    ]
    asked = [
        load(name, ALONE, f"lambda-split:a={before},b={layers - after},codec={codec}")
        for codec, before, after in cuts
    ]
    rows = pd.DataFrame(cuts, columns=["codec", "before", "after"])
    figures = pd.DataFrame([_figures(each) for each in campaigns(asked)])
    return pd.concat([rows, figures], axis=1)


def _figures(campaign: Campaign) -> dict[str, float]:
    """Return time and traffic of a token, and the depths of hidden states that a cloud held."""
    means = {name: metric.mean for name, metric in campaign.metrics.items()}
    hidden = campaign.held[campaign.held.index.get_level_values("tensor") == "hidden"]
    tokens = llama_of(campaign.scenario.workload.model).output_tokens
    return {
        "token_ms": 1e3 * means.get("token_gap_s", nan),
        "first_ms": 1e3 * means.get("first_token_s", nan),
        "up_kB_per_token": means["bytes_up"] / tokens / 1e3,
        "down_kB_per_token": means["bytes_down"] / tokens / 1e3,
        "held_from": hidden["depth_least"].min() if len(hidden) else nan,
        "held_to": hidden["depth_most"].max() if len(hidden) else nan,
    }


def _draw_cuts(axes: "Axes", rows: pd.DataFrame) -> None:
    """Draw a map over layers kept before and after, the time of a token written in each cell."""
    table = rows.pivot(index="after", columns="before", values="token_ms")
    axes.imshow(table, cmap="cividis_r", origin="lower", aspect="auto")
    middle = (rows["token_ms"].min() + rows["token_ms"].max()) / 2
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        colour = "white" if value > middle else "black"
        words = f"{value:.3g}" if value == value else "-"  # noqa: PLR0124 - not NaN
        axes.text(column, row, words, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(table.columns)), table.columns)
    axes.set_yticks(range(len(table.index)), table.index)
    axes.set(xlabel="layers at the edge before the cloud's", ylabel="layers at the edge after them")
    axes.set_title(f"ms per token, {DRAWN}")


def _draw_kept(axes: "Axes", rows: pd.DataFrame) -> None:
    """Draw the time of a token over the layers kept at either end, for each codec."""
    for number, (codec, cells) in enumerate(rows.groupby("codec", sort=False)):
        even = cells[cells["before"] == cells["after"]]
        label = f"{codec}, {even['up_kB_per_token'].iloc[0]:.3g} kB up a token"
        axes.plot(even["before"], even["token_ms"], label=label, **look(number))
    axes.set(xscale="log", xlabel="layers at the edge, at either end", ylabel="ms per token")
    axes.set_xticks(even["before"], [str(each) for each in even["before"]])
    axes.minorticks_off()
    axes.set_ylim(0, None)
    axes.set_title("the same number kept at either end")
    axes.legend()


if __name__ == "__main__":
    ask(main)
