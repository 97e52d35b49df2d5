"""When the tokens of an answer were there: from the steps that bring them to the origin.

A token is there when a computation at the origin that makes it has ended, or a transfer of it to
the origin. What makes or carries none leaves all of this empty.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.plan import Step, end_of


def arrivals_of_tokens(
    plan_steps: Sequence[Step], rows: pd.DataFrame, origins: pd.Series
) -> pd.DataFrame:
    """Return ``rank``, ``end_s`` and ``tokens`` of each step that brought tokens to its origin.

    ``rows`` has a row per step run, with ``plan_step`` indexing ``plan_steps``, ``rank`` indexing
    ``origins``, ``end_s`` and the ``tokens`` that it made.
    """
    places = np.array([end_of(step) for step in plan_steps], dtype=object)
    came = rows.loc[rows["tokens"] > 0, ["plan_step", "rank", "end_s", "tokens"]]
    step, rank = came["plan_step"].to_numpy(), came["rank"].to_numpy()
    at_home = places[step] == origins.to_numpy(dtype=object)[rank]
    found: pd.DataFrame = came.loc[at_home, ["rank", "end_s", "tokens"]]
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
