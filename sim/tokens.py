"""When the tokens of an answer were there: from the steps that bring them to the origin.

A token is there when a computation at the origin that makes it has ended, or a transfer of it to
the origin. What makes or carries none leaves all of this empty.
"""

from collections.abc import Sequence

import numpy as np

from sim.columns import Column, Table
from sim.plan import Step, end_of


def arrivals_of_tokens(plan_steps: Sequence[Step], rows: Table, origins: Column) -> Table:
    """Return ``rank``, ``end_s`` and ``tokens`` of each step that brought tokens to its origin.

    ``rows`` has a row per step run, with ``plan_step`` indexing ``plan_steps``, ``rank`` indexing
    ``origins``, ``end_s`` and the ``tokens`` that it made.
    """
    made = np.flatnonzero(rows["tokens"] > 0)
    places = np.array([end_of(plan_steps[step]) for step in rows["plan_step"][made]], dtype=object)
    came = made[places == origins[rows["rank"][made]]]
    return {name: rows[name][came] for name in ("rank", "end_s", "tokens")}


def token_times(came: Table, arrival_s: Column) -> Table:
    """Return per request ``tokens``, ``first_token_s`` and ``token_gap_s``.

    The gap is the time from the first arrival to the last over the tokens that came after the
    first arrival: what a reader's eye goes by, however many come at once.
    """
    order = np.lexsort((came["end_s"], came["rank"]))
    rank, end_s, brought = (came[name][order] for name in ("rank", "end_s", "tokens"))
    asked, firsts, counts = np.unique(rank, return_index=True, return_counts=True)
    tokens = np.zeros(len(arrival_s), dtype=np.int64)
    np.add.at(tokens, rank, brought)
    first_token_s, token_gap_s = np.full((2, len(arrival_s)), np.nan)
    first_token_s[asked] = end_s[firsts] - arrival_s[asked]
    later = tokens[asked] - brought[firsts]
    span_s = end_s[firsts + counts - 1] - end_s[firsts]
    token_gap_s[asked] = span_s / np.where(later > 0, later, np.nan)
    return {"tokens": tokens, "first_token_s": first_token_s, "token_gap_s": token_gap_s}
