"""What clouds, alone and together, learn of pictures, and what attackers make of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from experiments.reports.look import LEGEND, chart, colour, line_at, place_colour, symbol
from experiments.reports.measured import Measured
from experiments.reports.values import (
    Answer,
    Cell,
    Figure,
    Key,
    Mark,
    Part,
    Picture,
    Section,
    Table,
    View,
)
from experiments.reports.wording import percent

Policy = Mapping[str, Any]
_SIZES: Final = {
    "coalitions": ("together", "k", "clouds together"),
    "frames of a scene at rest": ("frames", "frames", "frames"),
}


def question(measured: Measured) -> str:
    """Return what the answers answer."""
    found = measured.found
    return (
        f"Can the worst cloud tell in fewer than {percent(found['attacked'])} of pictures which "
        f"of {found['candidates']} it was, by what it was not shown?"
    )


def answers(measured: Measured) -> tuple[Answer, ...]:
    """Return a line for each policy, and for each that could not be attacked."""
    limit = measured.found["attacked"]
    found = [_answer(policy, limit) for policy in measured.found["policies"]]
    refused = measured.found["refused"].items()
    return (*found, *(Answer(Mark("refused", "unsure"), name, why) for name, why in refused))


def keys(measured: Measured) -> tuple[Key, ...]:
    """Return the colour of each policy."""
    policies = enumerate(measured.found["policies"])
    return tuple(Key(policy["policy"], colour(number)) for number, policy in policies)


def sections(measured: Measured) -> Iterator[Section]:
    """Yield the table, who succeeds, what coalitions and time add, and the pictures."""
    policies: Sequence[Policy] = measured.found["policies"]
    caption = (
        f"Identified: the true picture first of {measured.found['candidates']}, by unseen pixels "
        "alone; passed: beyond what knows nothing of the picture; each of the best attack on the "
        "worst cloud, with the one-sided upper bound (Clopper and Pearson, 95 %). Shown: in the "
        "clear, without any attack."
    )
    columns = ("policy", "identified", "below", "by", "passed", "below", "by", "pixels shown",
               "objects half shown")  # fmt: skip
    table = Table("", columns, tuple(map(_cells, policies)), caption, ("policy", "by"))
    alone = _alone(policies, measured.found["attacked"])
    yield Section("attacks", "Attacks, cloud by cloud", (), (table, alone))
    curves = _curves(policies)
    if curves is not None:
        yield Section("coalitions", "Together, and over time", (), (curves,))
    pictures: list[Part] = list(_pictures(measured))
    if pictures:
        yield Section("pictures", "What attackers see", (), tuple(pictures))


def _answer(policy: Policy, limit: float) -> Answer:
    rate = policy["identified"]["rate"]
    mark = Mark("yes", "good") if rate["below"] < limit else Mark("no", "bad")
    said = (
        f"{percent(_rate(rate), 2)} identified by {policy['identified']['attack']} on "
        f"{policy['identified']['who']} (below {percent(rate['below'], 2)}); shown "
        f"{percent(policy['pixels'])} of the pixels"
    )
    return Answer(mark, policy["policy"], said)


def _rate(rate: Mapping[str, float]) -> float:
    return rate["successes"] / rate["trials"]


def _cells(policy: Policy) -> tuple[Cell, ...]:
    figures: list[Cell] = []
    for name in ("identified", "passed"):
        worst = policy[name]
        figures += [
            percent(_rate(worst["rate"]), 2), percent(worst["rate"]["below"], 2),
            f"{worst['attack']}, {worst['who']}",
        ]  # fmt: skip
    return (
        policy["policy"], *figures, percent(policy["pixels"]), percent(policy["objects_half"])
    )  # fmt: skip


def _alone(policies: Sequence[Policy], limit: float) -> Figure:
    frames = [pd.DataFrame(policy["alone"]).assign(policy=policy["policy"]) for policy in policies]
    data = pd.concat(frames, ignore_index=True)
    data["rate"] = data["identified"] / data["pictures"]
    names = list(dict.fromkeys(data["attack"]))
    views = tuple(
        View(_clouds(data[data["policy"] == policy["policy"]], names, limit),
             (("policy", policy["policy"]),))
        for policy in policies
    )  # fmt: skip
    caption = (
        "Each cloud by itself: in what part of the pictures each attack puts the true one first. "
        "Slow attacks are tried on the clouds that quick ones do best on. Dotted: the limit."
    )
    return Figure("alone", "Who is identified, cloud by cloud", caption, views, data, 400)


def _clouds(rows: pd.DataFrame, names: Sequence[str], limit: float) -> go.Figure:
    traces = [
        go.Scatter(
            x=found["who"],
            y=found["rate"] * 100,
            mode="markers",
            name=name,
            marker={"size": 9, "symbol": symbol(8 * (number // 6)), "color": place_colour(number)},
            hovertemplate="%{y:.2f} % on %{x}<extra>%{fullData.name}</extra>",
        )
        for number, name in enumerate(names)
        for found in (rows[rows["attack"] == name],)
        if len(found)
    ]
    return chart(
        traces,
        {"type": "category"},
        {"title": "identified, %", "rangemode": "tozero"},
        shapes=[line_at(limit * 100, "limit", vertical=False)],
        showlegend=True,
        legend=LEGEND,
    )


def _curves(policies: Sequence[Policy]) -> Figure | None:
    rows = [
        (policy["policy"], number, name, row[by], row["identified"] / row["pictures"])
        for number, policy in enumerate(policies)
        for name, (table, by, _) in _SIZES.items()
        for row in policy[table]
    ]
    if not rows:
        return None
    every = pd.DataFrame(rows, columns=["policy", "number", "of", "size", "identified"])
    best = every.groupby(["policy", "number", "of", "size"], as_index=False, sort=False).max()
    names = [name for name in _SIZES if (best["of"] == name).any()]
    views = tuple(View(_curve(best[best["of"] == name], name), (("of", name),)) for name in names)
    caption = (
        "What the best of the coalitions tried can tell together, and what one cloud can tell "
        "that has had other windows in each frame of a scene that does not move."
    )
    data = best.drop(columns="number")
    return Figure("curves", "Together, and over time", caption, views, data, 380)


def _curve(rows: pd.DataFrame, name: str) -> go.Figure:
    traces = [
        go.Scatter(
            x=found["size"], y=found["identified"] * 100, mode="lines+markers", name=str(policy),
            line={"color": colour(int(found["number"].iloc[0])), "width": 2},
            meta={"run": str(policy)},
            hovertemplate="%{x}: %{y:.2f} %<extra>%{fullData.name}</extra>",
        )
        for policy, unsorted in rows.groupby("policy", sort=False)
        for found in (unsorted.sort_values("size"),)
    ]  # fmt: skip
    sizes = sorted(set(rows["size"]))
    return chart(
        traces,
        {"title": _SIZES[name][2], "type": "log", "tickmode": "array", "tickvals": sizes,
         "ticktext": [str(size) for size in sizes]},
        {"title": "identified, %", "rangemode": "tozero"},
    )  # fmt: skip


def _pictures(measured: Measured) -> Iterator[Picture]:
    for policy in measured.found["policies"]:
        png = measured.picture(policy["picture"])
        if png is not None:
            caption = (
                "From left to right: the picture, what the worst cloud is shown of it, its best "
                "reconstruction, and the masks of the unsplit and of the split model."
            )
            yield Picture(policy["policy"], caption, png)
