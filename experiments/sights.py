"""What untrusted nodes saw and held over many requests: each way in which they did, once.

A node is shown the same of most requests. So of each way only the last request is kept, which is
enough to tell what counts, whatever the warm-up.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from sim.columns import Table, chosen

Way = tuple[Any, ...]
"""A row of one of the tables below, without its request."""
Last = dict[Way, int]
"""The last request of each way."""

SIGHT: Final = ("node", "provider", "pixels", "mixes")
HOLDING: Final = ("node", "provider", "tensor", "depth_least", "depth_most", "tokens")
"""Columns of `sim.tables.Tables.exposure` and `sim.tables.Tables.holdings` that make a way."""


def note(last: Last, table: Table, columns: Sequence[str]) -> None:
    """Note the last request of each way in a table of requests."""
    rows = chosen(table, np.argsort(table["request"], kind="stable"))
    ways = zip(*(rows[name].tolist() for name in columns), strict=True)
    for way, request in dict(zip(ways, rows["request"].tolist(), strict=True)).items():
        last[way] = max(request, last.get(way, request))


def counted(lasts: Iterable[Last], warm_up: int) -> tuple[Way, ...]:
    """Return each way that occurred in any of several runs after its warm-up, once."""
    found = (way for last in lasts for way, request in last.items() if request >= warm_up)
    return tuple(dict.fromkeys(found))


def seen_by(sights: Iterable[Way]) -> pd.DataFrame:
    """Return one row per node: provider, largest fraction of pixels, any mixture."""
    nodes: dict[str, tuple[str, float, bool]] = {}
    for node, provider, pixels, mixes in sights:
        _, most, mixed = nodes.get(node, ("", 0.0, False))
        nodes[node] = (provider, max(pixels, most), mixes or mixed)
    columns = ["provider", "pixels", "mixes"]
    return pd.DataFrame(list(nodes.values()), pd.Index(nodes, name="node"), columns)


def held_by(holdings: Iterable[Way]) -> pd.DataFrame:
    """Return one row per node and tensor: provider, depths, the most of it of one request."""
    tensors: dict[tuple[str, str], tuple[str, int, int, int]] = {}
    for node, provider, tensor, least, most, tokens in holdings:
        _, low, high, many = tensors.get((node, tensor), ("", least, most, tokens))
        tensors[node, tensor] = (provider, min(least, low), max(most, high), max(tokens, many))
    index = pd.MultiIndex.from_tuples(list(tensors), names=["node", "tensor"])
    columns = ["provider", "depth_least", "depth_most", "tokens"]
    return pd.DataFrame(list(tensors.values()), index, columns)
