"""Small tables as plain columns: a sweep makes thousands, and frames cost more than they hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Column = npt.NDArray[Any]
Table = Mapping[str, Column]
"""Columns of equal length, by name; words are objects."""


def columns_of(frame: pd.DataFrame) -> Table:
    """Return a data frame as plain columns."""
    return {str(name): np.asarray(frame[name]) for name in frame}


def chosen(table: Table, rows: Column) -> Table:
    """Return some rows of a table: a truth for each, or the places of those wanted in order."""
    return {name: column[rows] for name, column in table.items()}


def together(tables: Sequence[Table]) -> Table:
    """Return tables with the same columns as one, each below the one before; there is one or more.

    >>> together([{"a": np.array([1])}, {"a": np.array([2])}])["a"].tolist()
    [1, 2]
    """
    return {name: np.concatenate([each[name] for each in tables]) for name in tables[0]}
