"""The topology, drawn, with what was used of each node and link."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import networkx as nx
import pandas as pd
import plotly.graph_objects as go

from experiments.reports.kept import Run
from experiments.reports.look import HIGH, LOW, RULE, SCALE, SOFT, chart
from experiments.reports.values import Figure, Section, View
from experiments.reports.wording import percent, rounded
from topologies.topology import Link, Topology

Place = tuple[float, float]
_CLASSES: Final = (0.01, 0.1, 0.3, 0.6, 1.0)
"""Bounds of the classes of use that a link's width and colour tell apart."""
_WIDTHS_PX: Final = (1.0, 2.0, 3.5, 5.5, 8.0)
_SHADES: Final = (RULE, LOW, "var(--middle)", HIGH, HIGH)
_MOST_NAMED: Final = 40
_SYMBOLS: Final = {"sensor": "diamond", "edge": "square", "router": "circle", "cloud": "circle"}
_NAMES_PX: Final = 170
"""Room for the names of the rightmost nodes."""


def section(runs: Sequence[Run]) -> Section:
    """Return the topology as each run used it."""
    topology = runs[0].kept.topology
    places = layout(topology)
    views = tuple(View(_chart(run, places), (("policy", run.label),)) for run in runs)
    data = pd.concat([_used(run) for run in runs], ignore_index=True)
    caption = (
        "Nodes by hops from the first one, left to right; squares are edges, diamonds sensors, "
        "small dots routers, discs clouds. Colour: the part of the run for which a device was "
        "busy, or a link's busier direction was used, in the mean over replications (above 60 % "
        "thickest). Rates are those of an idle link."
    )
    height_px = min(900, max(320, 90 + 30 * _tallest(places)))
    figure = Figure("network", "Topology and utilisation", caption, views, data, height_px)
    return Section("network", "Topology and utilisation", (), (figure,))


def layout(topology: Topology) -> Mapping[str, Place]:
    """Return where each node is drawn: in columns by hops from the first node, rows by name."""
    graph = topology.graph()
    hops = nx.single_source_shortest_path_length(graph, topology.nodes[0].name)
    columns: dict[int, list[str]] = {}
    for node in topology.nodes:
        columns.setdefault(hops[node.name], []).append(node.name)
    return {
        name: (float(column), (row + 0.5) / len(names))
        for column, names in columns.items()
        for row, name in enumerate(names)
    }


def _tallest(places: Mapping[str, Place]) -> int:
    columns = [column for column, _ in places.values()]
    return max(columns.count(column) for column in set(columns))


def _used(run: Run) -> pd.DataFrame:
    """Return a row per device and channel: what part of the run it was used for."""
    used = run.campaign.utilisation
    rows = [(run.label, name, each.mean, each.low, each.high) for name, each in used.items()]
    return pd.DataFrame(rows, columns=["policy", "resource", "utilisation", "low", "high"])


def _chart(run: Run, places: Mapping[str, Place]) -> go.Figure:
    topology = run.kept.topology
    used = {name: each.mean for name, each in run.campaign.utilisation.items()}
    names = len(topology.nodes) <= _MOST_NAMED
    across = max(column for column, _ in places.values())
    hidden = {"visible": False, "fixedrange": True}
    return chart(
        [*_lines(topology, places, used), _middles(topology, places, used),
         _nodes(topology, places, used, named=names)],
        {**hidden, "range": (-0.15 * across, 1.04 * across)},
        {**hidden, "range": (1.02, -0.02)},
        margin={"l": 8, "r": _NAMES_PX if names else 12, "t": 12, "b": 8},
    )  # fmt: skip


def _both(link: Link) -> tuple[str, str]:
    return f"{link.source}->{link.target}", f"{link.target}->{link.source}"


def _lines(
    topology: Topology, places: Mapping[str, Place], used: Mapping[str, float]
) -> Iterator[go.Scatter]:
    """Yield the links, a trace for each class of use."""
    classes: dict[int, list[Link]] = {}
    for link in topology.links:
        busy = max(used[name] for name in _both(link))
        number = next((n for n, most in enumerate(_CLASSES) if busy <= most), len(_CLASSES) - 1)
        classes.setdefault(number, []).append(link)
    for number, links in sorted(classes.items()):
        ends = [(places[link.source], places[link.target]) for link in links]
        yield go.Scatter(
            x=[x for (one, _), (other, _) in ends for x in (one, other, None)],
            y=[y for (_, one), (_, other) in ends for y in (one, other, None)],
            mode="lines",
            line={"width": _WIDTHS_PX[number], "color": _SHADES[number]},
            hoverinfo="skip",
        )


def _middles(
    topology: Topology, places: Mapping[str, Place], used: Mapping[str, float]
) -> go.Scatter:
    """Return points in the middle of links, which tell of them, as lines cannot."""
    ends = [(places[link.source], places[link.target]) for link in topology.links]
    return go.Scatter(
        x=[(one[0] + other[0]) / 2 for one, other in ends],
        y=[(one[1] + other[1]) / 2 for one, other in ends],
        mode="markers",
        marker={"size": 14, "opacity": 0},
        text=[_told(topology, number, used) for number in range(len(topology.links))],
        hovertemplate="%{text}<extra></extra>",
    )


def _told(topology: Topology, number: int, used: Mapping[str, float]) -> str:
    lines = [
        f"{channel.name}: {rounded(channel.rate_bits_per_s / 1e6)} Mbit/s, "
        f"{rounded(channel.delay_s * 1e3)} ms one way, used {percent(used[channel.name])}"
        for channel in topology.channels[2 * number : 2 * number + 2]
    ]
    return "<br>".join(lines)


def _nodes(
    topology: Topology, places: Mapping[str, Place], used: Mapping[str, float], *, named: bool
) -> go.Scatter:
    nodes = topology.nodes
    telling = [
        f"{node.name}, {node.device.name}: busy {percent(used.get(node.name, 0.0))}"
        if node.device
        else node.name
        for node in nodes
    ]
    short = [
        f"{node.name}  {percent(used[node.name], 0)}" if used.get(node.name) else node.name
        for node in nodes
    ]
    return go.Scatter(
        x=[places[node.name][0] for node in nodes],
        y=[places[node.name][1] for node in nodes],
        mode="markers+text" if named else "markers",
        marker={
            "size": [7 if node.role == "router" else 13 if named else 8 for node in nodes],
            "symbol": [_SYMBOLS[node.role] for node in nodes],
            "color": [used.get(node.name, 0.0) for node in nodes],
            "cmin": 0, "cmax": 1, "colorscale": SCALE, "line": {"color": SOFT, "width": 1},
        },
        text=short,
        textposition=[_beside(places[node.name], places) for node in nodes],
        textfont={"size": 11},
        customdata=telling,
        hovertemplate="%{customdata}<extra></extra>",
        cliponaxis=False,
    )  # fmt: skip


def _beside(place: Place, places: Mapping[str, Place]) -> str:
    """Return where a node's name stands: where no line of its own runs through it."""
    last = max(column for column, _ in places.values())
    return "middle right" if place[0] == last else "top center"
