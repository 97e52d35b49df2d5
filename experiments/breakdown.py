"""Where the time goes: the steps on the critical path, waiting and running apart."""

import numpy as np
import pandas as pd

from topologies.topology import Topology


def breakdown(steps: pd.DataFrame, topology: Topology) -> pd.DataFrame:
    """Return the seconds per request of each kind of step on its critical path.

    One row per request, one column per kind: where it ran or between whom it travelled, what it
    was, and whether it waited or ran. A row adds up to the request's latency.
    """
    critical = steps[steps["critical"]]
    what = _labels(critical, topology)
    waited_s = (critical["start_s"] - critical["queued_s"]).to_numpy()
    ran_s = (critical["end_s"] - critical["start_s"]).to_numpy()
    pieces = pd.DataFrame(
        {
            "request": np.tile(critical["request"].to_numpy(), 2),
            "what": [*what, *(f"{label}, waiting" for label in what)],
            "seconds": np.concatenate([ran_s, waited_s]),
        }
    )
    wide = pieces.pivot_table("seconds", "request", "what", aggfunc="sum", fill_value=0.0)
    return wide.loc[:, wide.sum() > 0]


def mean_and_tail(spent: pd.DataFrame, tail_s: float) -> pd.DataFrame:
    """Return the mean seconds per kind over all requests and over those of ``tail_s`` or more.

    ``spent`` is what `breakdown` returns; the columns are ``mean`` and ``slowest``, the kind that
    takes most stands first.
    """
    latency_s = spent.sum(axis=1)
    slowest = spent[latency_s >= min(tail_s, latency_s.max())]
    table = pd.DataFrame({"mean": spent.mean(), "slowest": slowest.mean()})
    return table.sort_values("mean", ascending=False)


def _labels(steps: pd.DataFrame, topology: Topology) -> list[str]:
    side = {node.name: node.role if node.trusted else "cloud" for node in topology.nodes}
    columns = (steps[column] for column in ("kind", "stage", "node", "source", "target"))
    return [
        f"{f'{side[source]} to {side[target]}' if kind == 'transfer' else side[node]}: {stage}"
        for kind, stage, node, source, target in zip(*columns, strict=True)
    ]
