"""Single requests from arrival to end, step by step: a typical one, a slow one, the slowest."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from experiments.reports.kept import Run
from experiments.reports.look import INK, RULE, chart, place_colour
from experiments.reports.values import Figure, Section, View
from experiments.statistics.estimates import quantile_of
from sim.trace import FINISHED
from topologies.topology import Topology

CHOSEN: Final = {"median": 0.5, "99th percentile": 0.99, "slowest": 1.0}
MOST_STEPS: Final = 400
"""Steps that are drawn of one request; of more, those that took longest."""
_SHADES: Final = {
    "waiting": RULE, "sending up": place_colour(3), "computing": place_colour(0),
    "sending down": place_colour(1), "sending among equals": place_colour(5),
    "biding its time": place_colour(4),
}  # fmt: skip


class Single(NamedTuple):
    """A request: which replication's, which it is there, when it arrived, how long it took."""

    replication: int
    request: int
    arrival_s: float
    latency_s: float


def section(runs: Sequence[Run]) -> Section | None:
    """Return timelines of a few requests of each run that finished any."""
    found = [
        (run, name, single, timeline(run, single))
        for run in runs
        for name, single in _singles(run).items()
    ]
    if not found:
        return None
    views = tuple(
        View(_chart(steps, single), (("policy", run.label), ("request", name)))
        for run, name, single, steps in found
    )
    data = pd.concat(
        [steps.assign(policy=run.label, which=name) for run, name, _, steps in found],
        ignore_index=True,
    )[["policy", "which", *found[0][3].columns]]
    caption = (
        "Each bar is a step, on the node that it ran on or that it went to or came from; time "
        "counts from the request's arrival. Pale: waiting for its turn. Outlined: the critical "
        "path, which the latency is made of. The median, the 99th percentile and the slowest are "
        "those of all requests that count."
    )
    figure = Figure("requests", "Single requests", caption, views, data)
    prose = (
        "The first requests of each policy, all together, are in timeline.json, which "
        "ui.perfetto.dev opens."
    )
    return Section("requests", "Single requests", (prose,), (figure,))


def _singles(run: Run) -> dict[str, Single]:
    """Return the requests that show what is typical and what is not, each named once."""
    requests = run.kept.table("requests", run.policy)
    counted = requests[
        (requests["request"] >= run.campaign.warm_up.requests) & (requests["outcome"] == FINISHED)
    ]
    latency_s = counted["latency_s"].to_numpy()
    chosen = {}
    for name, quantile in CHOSEN.items() if len(counted) else ():
        place = int(np.argmin(np.abs(latency_s - quantile_of(latency_s, quantile))))
        row = counted.iloc[place]
        chosen[name] = Single(
            int(row["replication"]), int(row["request"]), float(row["arrival_s"]),
            float(row["latency_s"]),
        )  # fmt: skip
    return chosen


def timeline(run: Run, single: Single) -> pd.DataFrame:
    """Return a request's steps, by when they could begin; ``*_ms`` count from its arrival."""
    steps = run.kept.table("steps", run.policy, single.replication)
    steps = steps[steps["request"] == single.request]
    steps = steps[(steps["kind"] != "wait") | (steps["end_s"] > steps["queued_s"])]  # no mere joins
    took_s = steps["end_s"] - steps["queued_s"]
    steps = steps.loc[took_s.nlargest(MOST_STEPS).index].sort_values("queued_s", kind="stable")
    placed = [_placed(row, run.kept.topology) for row in steps.to_dict("records")]
    since_ms = {
        name.replace("_s", "_ms"): (steps[name] - single.arrival_s) * 1e3
        for name in ("queued_s", "start_s", "end_s")
    }
    return pd.DataFrame(
        {
            "row": [row for row, _ in placed],
            "does": [does for _, does in placed],
            "stage": steps["stage"],
            **since_ms,
            "critical": steps["critical"],
            "outcome": steps["outcome"],
        }
    ).reset_index(drop=True)


def _placed(row: dict[object, object], topology: Topology) -> tuple[str, str]:
    """Return on which node's row a step is drawn, and what is done in it."""
    if row["kind"] != "transfer":
        return str(row["node"]), "computing" if row["kind"] == "compute" else "biding its time"
    source, target = str(row["source"]), str(row["target"])
    trusts = topology.node(source).trusted, topology.node(target).trusted
    if trusts[0] == trusts[1]:
        return target, "sending among equals"
    return (target, "sending up") if trusts[0] else (source, "sending down")


def _chart(steps: pd.DataFrame, single: Single) -> go.Figure:
    rows = list(dict.fromkeys(steps["row"]))
    return chart(
        _bars(steps),
        {"title": f"ms since its arrival; it took {single.latency_s * 1e3:.1f} ms",
         "rangemode": "tozero"},
        {"categoryorder": "array", "categoryarray": rows, "autorange": "reversed",
         "tickfont": {"size": 11}},
        height=min(900, 150 + 26 * len(rows)),
        barmode="overlay",
        bargap=0.25,
        showlegend=True,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "itemclick": False,
                "itemdoubleclick": False},
    )  # fmt: skip


def _bars(steps: pd.DataFrame) -> Iterator[go.Bar]:
    waited = steps[steps["start_ms"] > steps["queued_ms"]]
    yield _bar("waiting", waited, "queued_ms", "start_ms")
    for does in _SHADES:
        if does != "waiting" and (steps["does"] == does).any():
            yield _bar(does, steps[steps["does"] == does], "start_ms", "end_ms")


def _bar(name: str, steps: pd.DataFrame, begin: str, end: str) -> go.Bar:
    outline = np.where(steps["critical"], 1.5, 0.0) if name != "waiting" else 0.0
    return go.Bar(
        base=steps[begin].to_numpy(),
        x=(steps[end] - steps[begin]).to_numpy(),
        y=steps["row"].tolist(),
        orientation="h",
        name=name,
        marker={"color": _SHADES[name], "line": {"color": INK, "width": outline}},
        opacity=0.9,
        customdata=steps[["stage", "end_ms", "outcome"]].to_numpy(),
        hovertemplate="%{customdata[0]}<br>%{base:.1f} to %{customdata[1]:.1f} ms, %{customdata[2]}"
        f"<extra>{name}</extra>",
    )
