"""What each cloud received, by policy."""

from collections.abc import Sequence
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from experiments.reports.kept import Run
from experiments.reports.look import SCALE, chart
from experiments.reports.sections.spending import wrapped
from experiments.reports.values import Figure, Section, View

_MOST_CLOUDS: Final = 60


def section(runs: Sequence[Run]) -> Section | None:
    """Return the largest part of one input by cloud and run; nothing where no cloud saw any."""
    seen = [run.campaign.seen.assign(policy=run.label).reset_index() for run in runs]
    data = pd.concat([each for each in seen if len(each)] or [pd.DataFrame()], ignore_index=True)
    if data.empty or not data["pixels"].any():
        return None
    worst = data.groupby("node")["pixels"].max().nlargest(_MOST_CLOUDS).index
    clouds = [node.name for node in runs[0].kept.topology.nodes if node.name in set(worst)]
    labels = [run.label for run in runs if (data["policy"] == run.label).any()]
    drawn = data.pivot_table("pixels", "node", "policy").reindex(index=clouds, columns=labels)
    caption = (
        "The largest part of one request's input that each cloud received in the clear; an empty "
        "field: none. The data tell, too, whether it ever received tokens that mix in others."
    )
    figure = Figure(
        "exposure", "What each cloud received", caption, (View(_chart(drawn)),), data,
        min(900, 160 + 22 * len(clouds)),
    )  # fmt: skip
    return Section("exposure", "Exposure", (), (figure,))


def _chart(drawn: pd.DataFrame) -> go.Figure:
    values = drawn.to_numpy()
    heat = go.Heatmap(
        z=values,
        x=list(drawn.columns),
        y=list(drawn.index),
        colorscale=SCALE,
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        texttemplate="%{z:.0%}",
        hovertemplate="%{y} under %{x}: %{z:.1%}<extra></extra>",
        hoverongaps=False,
        showscale=False,
    )
    ticks = wrapped(list(drawn.columns))
    return chart(
        [heat],
        {**ticks, "side": "top", "showgrid": False, "tickfont": {"size": 11}},
        {"autorange": "reversed", "showgrid": False, "tickfont": {"size": 11}},
    )
