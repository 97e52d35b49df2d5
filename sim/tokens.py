"""When the tokens of an answer were there: from the steps that bring them to the origin.

A token is there when a computation at the origin that makes it has ended, or a transfer of it to
the origin. What makes or carries none leaves all of this empty.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.plan import Compute, Step

WRITTEN = "token"
"""The tensor that parts of a written answer are."""


def arrivals_of_tokens(
    plan_steps: Sequence[Step], rows: pd.DataFrame, origins: pd.Series
) -> pd.DataFrame:
    """Return ``rank``, ``end_s`` and ``tokens`` of each step that brought tokens to its origin.

    ``rows`` has a row per step run, with ``plan_step`` indexing ``plan_steps``, ``rank`` indexing
    ``origins``, ``end_s`` and ``finished``.
    """
    counts, places = _brought(plan_steps)
    came = rows.loc[rows["finished"], ["plan_step", "rank", "end_s"]]
    step = came["plan_step"].to_numpy()
    came = came[counts[step] > 0]
    step, rank = came["plan_step"].to_numpy(), came["rank"].to_numpy()
    at_home = places[step] == origins.to_numpy(dtype=object)[rank]
    found: pd.DataFrame = came.loc[at_home, ["rank", "end_s"]]
    found["tokens"] = counts[step][at_home]
    return found


def token_times(came: pd.DataFrame, arrival_s: pd.Series) -> dict[str, npt.NDArray[np.float64]]:
    """Return per request ``tokens``, ``first_token_s`` and ``token_gap_s``.

    The gap is the time from the first arrival to the last over the tokens that came after the
    first arrival: what a reader's eye goes by, however many come at once.
    """
    count = len(arrival_s)
    grouped = came.sort_values("end_s", kind="stable").groupby("rank", sort=True)
    ends = grouped.agg(
        tokens=("tokens", "sum"), first=("tokens", "first"),
        begin_s=("end_s", "first"), end_s=("end_s", "last"),
    ).reindex(range(count))  # fmt: skip
    later = (ends["tokens"] - ends["first"]).to_numpy(dtype=np.float64)
    span_s = (ends["end_s"] - ends["begin_s"]).to_numpy(dtype=np.float64)
    return {
        "tokens": ends["tokens"].fillna(0).to_numpy(dtype=np.int64),
        "first_token_s": (ends["begin_s"] - arrival_s.to_numpy()).to_numpy(dtype=np.float64),
        "token_gap_s": span_s / np.where(later > 0, later, np.nan),
    }


def _brought(plan_steps: Sequence[Step]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """Return how many tokens each step leaves behind, and where."""
    counts = np.zeros(len(plan_steps), dtype=np.int64)
    places = np.empty(len(plan_steps), dtype=object)
    for number, step in enumerate(plan_steps):
        if isinstance(step, Compute):
            made = (stage.makes for stage in step.stages)
            counts[number] = sum(each.tokens for each in made if each and each.tensor == WRITTEN)
            places[number] = step.node
        elif step.payload.tensor == WRITTEN:
            counts[number], places[number] = step.payload.tokens, step.target
    return counts, places
