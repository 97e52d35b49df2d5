"""What is searched over: for each key the values, or the range, that trials draw from."""

import re
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from experiments.sweeps.axes import POLICY, Axis, parse_axis
from sim.errors import ScenarioError

if TYPE_CHECKING:
    from optuna import Trial

_RANGE = re.compile(r"(-?[\d.]*\d)([^\d.]*)\.\.(-?[\d.]*\d)([^\d.]*)")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``least`` to ``most``, both of them included, each written with its ``unit``.

    They are ``whole`` where both bounds are written so.
    """

    key: str
    least: float
    most: float
    unit: str
    whole: bool


Dimension = Axis | Range


def parse_dimension(text: str) -> Dimension:
    """Return what ``key=value,value`` or ``key=least..most`` describes; else `ScenarioError`.

    >>> parse_dimension("clouds=1..16")
    Range(key='clouds', least=1.0, most=16.0, unit='', whole=True)
    """
    key, _, values = text.partition("=")
    if key.strip() in {POLICY, "seed"}:
        raise ScenarioError(f"--over {text!r}: {key.strip()} is nothing to search over")
    found = _RANGE.fullmatch(values.strip())
    if not found:
        return parse_axis(text, "--over")
    least, unit, most, other_unit = found.groups()
    if unit != other_unit:
        raise ScenarioError(f"--over {text!r}: give both ends in one unit")
    try:
        ends = float(least), float(most)
    except ValueError:
        raise ScenarioError(f"--over {text!r}: write numbers, e.g. clouds=1..16") from None
    if not ends[0] < ends[1]:
        raise ScenarioError(f"--over {text!r}: begin with the lesser number")
    return Range(key.strip(), *ends, unit, "." not in least + most)


def values_of(dimension: Dimension) -> tuple[str, ...]:
    """Return values to check: all that are listed, or the ends of a range."""
    if isinstance(dimension, Axis):
        return dimension.values
    return tuple(_written(dimension, end) for end in (dimension.least, dimension.most))


def size_of(dimension: Dimension) -> float:
    """Return how many values there are, which may be infinitely many."""
    if isinstance(dimension, Axis):
        return len(dimension.values)
    return dimension.most - dimension.least + 1 if dimension.whole else inf


def drawn(trial: "Trial", dimension: Dimension) -> str:
    """Return the value that a trial of Optuna's takes."""
    if isinstance(dimension, Axis):
        return str(trial.suggest_categorical(dimension.key, dimension.values))
    if dimension.whole:
        whole = trial.suggest_int(dimension.key, int(dimension.least), int(dimension.most))
        return _written(dimension, whole)
    return _written(dimension, trial.suggest_float(dimension.key, dimension.least, dimension.most))


def _written(dimension: Range, value: float) -> str:
    return f"{value:.0f}{dimension.unit}" if dimension.whole else f"{value:.6g}{dimension.unit}"
