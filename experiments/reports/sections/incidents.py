"""What went wrong in the runs: faults, and what the runner noticed."""

from collections.abc import Sequence

import pandas as pd

from experiments.reports.kept import Run
from experiments.reports.values import Section, Table
from experiments.reports.wording import rounded


def section(runs: Sequence[Run]) -> Section | None:
    """Return incidents, counted by what they were; nothing where nothing befell anybody."""
    found = pd.concat(
        [run.kept.table("incidents", run.policy).assign(policy=run.label) for run in runs],
        ignore_index=True,
    )
    if found.empty:
        return None
    rows = tuple(
        (str(label), str(target), str(kind), str(len(each)), rounded(each["at_s"].min()),
         str(each["detail"].iloc[0] or ""))
        for (label, target, kind), each in found.groupby(["policy", "target", "kind"], sort=False)
    )  # fmt: skip
    words = ("policy", "where", "what", "for example")
    table = Table(
        "", ("policy", "where", "what", "times", "first at, s", "for example"), rows, words=words
    )
    return Section("incidents", "What went wrong", (), (table,))
